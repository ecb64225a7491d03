ALTER TABLE orders ADD COLUMN priority smallint;
UPDATE orders SET priority = 1 WHERE status = 'open';
