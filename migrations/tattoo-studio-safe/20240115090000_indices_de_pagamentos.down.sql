DROP INDEX pagamentos_created_at_idx;
DROP INDEX pagamentos_cliente_id_idx;
