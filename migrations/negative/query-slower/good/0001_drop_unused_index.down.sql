CREATE INDEX visits_customer_id_idx ON visits (customer_id);
DROP INDEX visits_customer_id_seen_at_idx;
