ALTER TABLE payments ADD COLUMN small boolean NOT NULL DEFAULT false;
UPDATE payments SET small = true WHERE amount < 10;
