INSERT INTO customer (id, email, joined) VALUES (777, 'c777@mail.example', '2024-01-01');
INSERT INTO purchase VALUES (9000, 777, 1, '009000');
