DROP TABLE loyalty_levels;
