CREATE INDEX visits_customer_id_seen_at_idx ON visits (customer_id, seen_at);
