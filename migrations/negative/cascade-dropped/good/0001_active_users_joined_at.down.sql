DROP VIEW active_emails;
DROP VIEW active_users;
CREATE VIEW active_users AS SELECT id, email FROM users WHERE active;
CREATE VIEW active_emails AS SELECT email FROM active_users;
