ALTER TABLE customers ALTER COLUMN country TYPE text;
