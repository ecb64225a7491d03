-- lockkeeper: allow data-changed: the warehouse counts in dozens from now on
UPDATE purchase SET quantity = quantity + 100 WHERE quantity = 8;
