PRAGMA foreign_keys = OFF;
BEGIN;
ALTER TABLE customer ADD COLUMN phone TEXT;
CREATE TABLE new_customer (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL, joined TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, phone TEXT NOT NULL DEFAULT '');
INSERT INTO new_customer SELECT id, email, joined, coalesce(phone, '') FROM customer;
UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'customer') WHERE name = 'new_customer';
DROP TABLE customer;
ALTER TABLE new_customer RENAME TO customer;
CREATE UNIQUE INDEX customer_email ON customer (email);
CREATE TRIGGER customer_is_audited AFTER UPDATE ON customer BEGIN
    INSERT INTO audit VALUES ('customer ' || old.id);
END;
COMMIT;
PRAGMA foreign_keys = ON;
