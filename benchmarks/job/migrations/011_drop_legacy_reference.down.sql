ALTER TABLE orders ADD COLUMN legacy_reference text;
