CREATE TABLE tag (who TEXT, what TEXT, place TEXT);
