-- Before anything is touched: payments that came without a client since are named, for somebody to decide on. Give them a
-- client, delete them, or stay with the new schema.
DO $$
DECLARE
    quantos bigint;
    quais text;
BEGIN
    SELECT count(*), string_agg(id::text, ', ' ORDER BY id) FILTER (WHERE ordem <= 20)
    INTO quantos, quais
    FROM (SELECT id, row_number() OVER (ORDER BY id) AS ordem FROM pagamentos WHERE cliente_id IS NULL) AS sem_cliente;

    IF quantos > 0 THEN
        RAISE EXCEPTION '% payments have no client', quantos
            USING ERRCODE = 'not_null_violation', DETAIL = 'pagamentos.id: ' || quais,
                  HINT = 'give them a client or delete them, then run this again';
    END IF;
END
$$;

-- SET NOT NULL reads the whole table under ACCESS EXCLUSIVE, unless a valid CHECK already proves that there is no NULL.
-- So: the CHECK first, validated under a lock that lets readers and writers through, and only then the column.
-- Three transactions, each of them short where it is strong; run again after a stop, the first begins afresh.

BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE pagamentos
    DROP CONSTRAINT IF EXISTS pagamentos_cliente_id_presente,
    ADD CONSTRAINT pagamentos_cliente_id_presente CHECK (cliente_id IS NOT NULL) NOT VALID;
COMMIT;

BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE pagamentos VALIDATE CONSTRAINT pagamentos_cliente_id_presente;
COMMIT;

BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE pagamentos ALTER COLUMN cliente_id SET NOT NULL;
ALTER TABLE pagamentos DROP CONSTRAINT pagamentos_cliente_id_presente;
COMMIT;
