INSERT INTO payments (id, order_id, note, amount, paid_on)
  SELECT id, order_id, note, amount, paid_on FROM payments_small;
DROP TABLE payments_small;
