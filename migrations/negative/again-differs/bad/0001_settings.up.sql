CREATE TABLE IF NOT EXISTS settings (name text PRIMARY KEY, value text);
