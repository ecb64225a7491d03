ALTER TABLE estoque ADD COLUMN minimo integer NOT NULL DEFAULT 10 CONSTRAINT estoque_minimo_check CHECK (minimo >= 0);
COMMENT ON COLUMN estoque.minimo IS 'abaixo disto, comprar';
