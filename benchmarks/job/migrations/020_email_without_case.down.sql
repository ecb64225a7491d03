CREATE INDEX customers_email_idx ON customers (email);
DROP INDEX customers_lower_email_key;
