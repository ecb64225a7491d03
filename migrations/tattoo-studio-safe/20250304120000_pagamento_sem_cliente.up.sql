-- DROP NOT NULL only writes to the catalog, but takes ACCESS EXCLUSIVE: behind an open transaction it would wait, and
-- everyone else behind it. Better to give up after two seconds and be run again. SET LOCAL ends with the transaction.
SET LOCAL lock_timeout = '2s';

ALTER TABLE pagamentos ALTER COLUMN cliente_id DROP NOT NULL;

-- Nothing is committed unless the catalog says that it took effect.
DO $$
BEGIN
    IF (SELECT attnotnull FROM pg_attribute WHERE attrelid = 'pagamentos'::regclass AND attname = 'cliente_id') THEN
        RAISE EXCEPTION 'pagamentos.cliente_id is still NOT NULL';
    END IF;
END
$$;
