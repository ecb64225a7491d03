-- lockkeeper: allow data-changed: addresses are compared without case from now on, down has the old ones
CREATE TABLE users_email_before AS SELECT id, email FROM users WHERE email <> lower(email);
UPDATE users SET email = lower(email) WHERE email <> lower(email);
