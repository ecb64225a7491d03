CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint NOT NULL, total numeric(10, 2) NOT NULL);
CREATE INDEX orders_customer_id_idx ON orders (customer_id);
