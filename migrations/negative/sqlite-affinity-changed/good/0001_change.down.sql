ALTER TABLE purchase DROP COLUMN code_number;
