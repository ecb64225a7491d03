BEGIN;
UPDATE purchase SET quantity = quantity - 1;
DROP TABLE raised;
COMMIT;
