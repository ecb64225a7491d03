DROP INDEX purchase_code;
