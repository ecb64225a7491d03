ALTER TABLE users ADD COLUMN phone text;
UPDATE users SET phone = 'unknown';
ALTER TABLE users ALTER COLUMN phone SET NOT NULL;
