CREATE INDEX purchase_code ON purchase (upper(code));
