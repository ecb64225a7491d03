-- As the runbook has it. Stops with 23502 as soon as one payment without a client has been written.
BEGIN;

ALTER TABLE pagamentos ALTER COLUMN cliente_id SET NOT NULL;

DO $$
BEGIN
    IF (SELECT is_nullable
        FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = 'pagamentos' AND column_name = 'cliente_id')
        IS DISTINCT FROM 'NO'
    THEN
        RAISE EXCEPTION 'pagamentos.cliente_id is still nullable';
    END IF;
END
$$;

COMMIT;
