CREATE INDEX visits_page_idx ON visits (seen_at, page);
