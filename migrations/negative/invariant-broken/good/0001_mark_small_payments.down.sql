ALTER TABLE payments DROP COLUMN small;
