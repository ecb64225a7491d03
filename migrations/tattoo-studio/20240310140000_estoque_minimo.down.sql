ALTER TABLE estoque DROP COLUMN minimo;
