CREATE TABLE audit (what TEXT NOT NULL);
CREATE TRIGGER customer_is_audited AFTER UPDATE ON customer BEGIN
    INSERT INTO audit VALUES ('customer ' || old.id);
END;
CREATE VIEW audited AS SELECT what FROM audit WHERE what LIKE 'customer%';
