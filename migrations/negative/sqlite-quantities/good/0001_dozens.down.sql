ALTER TABLE purchase DROP COLUMN dozens;
