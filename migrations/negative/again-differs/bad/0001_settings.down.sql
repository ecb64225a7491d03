-- Keeps the table, "to be safe".
ALTER TABLE settings DROP COLUMN value;
