DELETE FROM purchase WHERE id = 9000;
DELETE FROM customer WHERE id = 777;
