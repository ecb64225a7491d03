CREATE OR REPLACE VIEW open_orders AS
  SELECT id, user_id, total, status FROM orders WHERE status = 'open';
