DROP TABLE comissoes;
