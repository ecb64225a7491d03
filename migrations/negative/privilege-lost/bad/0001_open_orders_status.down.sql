DROP VIEW open_orders;
CREATE VIEW open_orders AS SELECT id, user_id, total FROM orders WHERE status = 'open';
GRANT SELECT ON open_orders TO reporting;
COMMENT ON VIEW open_orders IS 'what the warehouse still has to pack';
