-- lockkeeper: allow data-changed: prices go up
BEGIN;
UPDATE purchase SET quantity = quantity + 1;
CREATE TABLE IF NOT EXISTS raised (at TEXT);
COMMIT;
