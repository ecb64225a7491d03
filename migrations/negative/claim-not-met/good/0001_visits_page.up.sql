CREATE INDEX visits_page_idx ON visits (page, seen_at);
