-- lockkeeper: allow constraint-not-validated: 0002 validates it in a transaction of its own
ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0) NOT VALID;
