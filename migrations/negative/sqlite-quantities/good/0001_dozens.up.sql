ALTER TABLE purchase ADD COLUMN dozens REAL;
UPDATE purchase SET dozens = quantity / 12.0;
