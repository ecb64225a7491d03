CREATE INDEX purchase_of_customer ON purchase (customer_id);
