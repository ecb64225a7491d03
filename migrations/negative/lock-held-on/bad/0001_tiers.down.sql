UPDATE payments SET note = NULL WHERE note = 'none';
ALTER TABLE users DROP COLUMN tier;
