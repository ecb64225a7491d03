CREATE TABLE loyalty_levels (id integer PRIMARY KEY, name text NOT NULL, points integer NOT NULL);
INSERT INTO loyalty_levels VALUES (1, 'bronze', 0), (2, 'silver', 100);
