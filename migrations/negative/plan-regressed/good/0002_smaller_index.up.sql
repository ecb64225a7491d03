DROP INDEX visits_customer_id_idx;
