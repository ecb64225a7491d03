CREATE INDEX pagamentos_cliente_id_idx ON pagamentos (cliente_id);
CREATE INDEX pagamentos_created_at_idx ON pagamentos (created_at);
