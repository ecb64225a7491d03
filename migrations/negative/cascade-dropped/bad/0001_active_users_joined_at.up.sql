DROP VIEW active_users CASCADE;
CREATE VIEW active_users AS SELECT id, email, joined_at FROM users WHERE active;
