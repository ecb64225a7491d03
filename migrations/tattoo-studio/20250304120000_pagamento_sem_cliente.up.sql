-- A payment may come from nobody in particular: a voucher, a walk-in sale.
-- As the runbook has it: one statement in one transaction, committed only once the catalog says that it took effect.
BEGIN;

ALTER TABLE pagamentos ALTER COLUMN cliente_id DROP NOT NULL;

DO $$
BEGIN
    IF (SELECT is_nullable
        FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = 'pagamentos' AND column_name = 'cliente_id')
        IS DISTINCT FROM 'YES'
    THEN
        RAISE EXCEPTION 'pagamentos.cliente_id is still NOT NULL';
    END IF;
END
$$;

COMMIT;
