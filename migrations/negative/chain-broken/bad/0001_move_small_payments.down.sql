INSERT INTO payments SELECT * FROM payments_small;
DROP TABLE payments_small;
