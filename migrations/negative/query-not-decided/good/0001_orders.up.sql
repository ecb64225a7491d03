CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, total numeric(10, 2) NOT NULL);
CREATE INDEX orders_customer_id_idx ON orders (customer_id);
INSERT INTO orders SELECT n, n % 500, n % 90 + 10 FROM generate_series(1, 20000) AS n;
