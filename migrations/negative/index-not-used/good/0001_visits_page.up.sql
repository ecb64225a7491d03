CREATE INDEX visits_page_idx ON visits (lower(page));
