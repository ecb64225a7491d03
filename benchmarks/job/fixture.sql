-- 100,000 rows in four tables with keys and indexes; the same rows on every run, since all of them come from the
-- row's own number.
CREATE TABLE customers (
  id bigint PRIMARY KEY,
  full_name text NOT NULL,
  email text,
  country varchar(2) NOT NULL,
  created_at timestamptz NOT NULL
);
CREATE TABLE products (
  id bigint PRIMARY KEY,
  sku text NOT NULL,
  title text NOT NULL,
  price numeric(10,2) NOT NULL,
  weight_g integer,
  updated_at timestamptz NOT NULL
);
CREATE TABLE orders (
  id bigint PRIMARY KEY,
  customer_id bigint NOT NULL REFERENCES customers,
  status text NOT NULL,
  placed_at timestamptz NOT NULL,
  note text,
  total numeric(12,2) NOT NULL,
  legacy_reference text
);
CREATE TABLE order_lines (
  id bigint PRIMARY KEY,
  order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE,
  product_id bigint NOT NULL,
  quantity integer NOT NULL,
  price numeric(10,2) NOT NULL
);

INSERT INTO customers
SELECT n, 'Customer ' || md5('name' || n), md5('mail' || n) || '@example.org',
       (ARRAY['DE', 'FR', 'IT', 'PT', 'BR'])[1 + n % 5], timestamptz '2021-01-01 00:00:00+00' + n * interval '97 minutes'
  FROM generate_series(1, 10000::bigint) AS n;
INSERT INTO products
SELECT n, 'SKU-' || lpad(n::text, 6, '0'), 'Product ' || md5('title' || n), (n * 7919 % 50000) / 100.0,
       CASE WHEN n % 9 <> 0 THEN n * 31 % 4000 END, timestamptz '2022-01-01 00:00:00+00' + n * interval '3 hours'
  FROM generate_series(1, 5000::bigint) AS n;
INSERT INTO orders
SELECT n, 1 + n * 7907 % 10000, (ARRAY['open', 'paid', 'sent', 'done', 'done'])[1 + n % 5],
       timestamptz '2023-01-01 00:00:00+00' + n * interval '37 minutes',
       CASE WHEN n % 3 = 0 THEN 'Note ' || md5('note' || n) END, (n * 104729 % 900000) / 100.0, NULL
  FROM generate_series(1, 30000::bigint) AS n;
INSERT INTO order_lines
SELECT n, 1 + n * 7901 % 30000, 1 + n * 6007 % 5000, 1 + n % 12, (n * 15485863 % 50000) / 100.0
  FROM generate_series(1, 55000::bigint) AS n;

CREATE INDEX customers_email_idx ON customers (email);
CREATE INDEX orders_customer_id_idx ON orders (customer_id);
CREATE INDEX order_lines_order_id_idx ON order_lines (order_id);
