CREATE TABLE remark (id INTEGER PRIMARY KEY, purchase_id INTEGER NOT NULL REFERENCES purchase (id) ON DELETE CASCADE);
CREATE INDEX remark_purchase ON remark (purchase_id);
