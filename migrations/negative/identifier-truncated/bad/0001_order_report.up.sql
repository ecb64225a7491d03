CREATE INDEX orders_by_customer_and_status_for_the_warehouse_and_the_monthly_report_idx
  ON orders (user_id, status);
