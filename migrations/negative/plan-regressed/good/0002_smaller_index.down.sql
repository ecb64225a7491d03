CREATE INDEX visits_customer_id_idx ON visits (customer_id);
