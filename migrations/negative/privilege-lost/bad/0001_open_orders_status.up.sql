DROP VIEW open_orders;
CREATE VIEW open_orders AS
  SELECT id, user_id, total, status FROM orders WHERE status = 'open';
