-- lockkeeper: allow data-changed: small payments move to payments_small
CREATE TABLE payments_small AS SELECT * FROM payments WHERE amount < 10;
DELETE FROM payments WHERE amount < 10;
