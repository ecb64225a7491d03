-- Whoever runs it tries again where this is not enough.
SET LOCAL lock_timeout = '50ms';
ALTER TABLE orders ADD COLUMN note text;
