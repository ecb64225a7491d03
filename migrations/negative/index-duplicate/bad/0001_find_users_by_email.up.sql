CREATE INDEX users_email_lookup_idx ON users (email);
