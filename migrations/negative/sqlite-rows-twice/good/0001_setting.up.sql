CREATE TABLE IF NOT EXISTS setting (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE INDEX setting_name ON setting (name);
INSERT INTO setting (name) VALUES ('currency');
