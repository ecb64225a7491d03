UPDATE users SET email = before.email FROM users_email_before before WHERE before.id = users.id;
DROP TABLE users_email_before;
