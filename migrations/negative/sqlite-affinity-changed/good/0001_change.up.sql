ALTER TABLE purchase ADD COLUMN code_number INTEGER;
