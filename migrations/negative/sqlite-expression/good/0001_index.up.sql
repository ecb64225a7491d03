CREATE INDEX purchase_code ON purchase (code);
