ALTER TABLE orders DROP COLUMN legacy_reference;
