CREATE INDEX orders_open_idx ON orders (customer_id, placed_at) WHERE status = 'open';
