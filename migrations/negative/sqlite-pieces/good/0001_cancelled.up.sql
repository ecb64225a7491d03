-- lockkeeper: allow data-changed: purchases of nothing are cancelled ones
CREATE TABLE cancelled AS SELECT * FROM purchase WHERE quantity = 0;
DELETE FROM purchase WHERE quantity = 0;
