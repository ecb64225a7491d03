INSERT INTO roles (id, name) VALUES (900, 'auditor');
