CREATE INDEX orders_user_id_status_idx ON orders (user_id, status);
