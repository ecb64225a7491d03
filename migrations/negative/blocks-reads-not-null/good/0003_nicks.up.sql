-- The check proves it, so the table is not read again.
ALTER TABLE users ALTER COLUMN nick SET NOT NULL;
