INSERT INTO users (id, email, active, joined_at) VALUES (4711, 'legacy@mail.example', false, '2020-01-01 00:00+00');
INSERT INTO orders (id, user_id, status, total) VALUES (9001, 4711, 'legacy', 12.50), (9002, 4711, 'legacy', 8.00);
