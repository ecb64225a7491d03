DROP INDEX reading_value;
