ALTER TABLE orders DROP COLUMN delivery;
DROP TYPE delivery_kind;
