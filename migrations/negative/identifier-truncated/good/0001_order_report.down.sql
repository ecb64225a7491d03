DROP INDEX orders_user_id_status_idx;
