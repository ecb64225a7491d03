CREATE TABLE new_purchase (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer (id) ON DELETE CASCADE, quantity INTEGER NOT NULL, code NUMERIC NOT NULL);
INSERT INTO new_purchase SELECT * FROM purchase;
DROP TABLE purchase;
ALTER TABLE new_purchase RENAME TO purchase;
CREATE INDEX purchase_customer ON purchase (customer_id);
