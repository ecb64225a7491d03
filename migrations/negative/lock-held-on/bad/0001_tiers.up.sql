ALTER TABLE users ADD COLUMN tier text;
UPDATE payments SET note = 'none' WHERE note IS NULL;
