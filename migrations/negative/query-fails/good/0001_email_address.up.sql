ALTER TABLE users ADD COLUMN email_address text GENERATED ALWAYS AS (email) STORED;
