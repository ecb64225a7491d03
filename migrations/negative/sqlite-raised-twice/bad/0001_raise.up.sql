-- lockkeeper: allow data-changed: prices go up
UPDATE purchase SET quantity = quantity + 1;
CREATE TABLE IF NOT EXISTS raised (at TEXT);
