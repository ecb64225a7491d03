DROP VIEW audited;
DROP TRIGGER customer_is_audited;
DROP TABLE audit;
