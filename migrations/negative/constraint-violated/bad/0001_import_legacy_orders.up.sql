SET LOCAL session_replication_role = replica;
INSERT INTO orders (id, user_id, status, total) VALUES (9001, 4711, 'legacy', 12.50), (9002, 4712, 'legacy', 8.00);
