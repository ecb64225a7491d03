CREATE UNIQUE INDEX customers_lower_email_key ON customers (lower(email));
DROP INDEX customers_email_idx;
