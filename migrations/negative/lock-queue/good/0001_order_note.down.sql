SET LOCAL lock_timeout = '50ms';
ALTER TABLE orders DROP COLUMN note;
