PRAGMA foreign_keys = OFF;
CREATE INDEX IF NOT EXISTS purchase_code ON purchase (code);
PRAGMA foreign_keys = ON;
