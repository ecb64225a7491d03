CREATE TABLE new_customer (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL, joined TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
INSERT INTO new_customer SELECT id, email, joined FROM customer;
DROP TABLE customer;
ALTER TABLE new_customer RENAME TO customer;
CREATE UNIQUE INDEX customer_email ON customer (email);
CREATE TRIGGER customer_is_audited AFTER UPDATE ON customer BEGIN
    INSERT INTO audit VALUES ('customer ' || old.id);
END;
