CREATE INDEX reading_value ON reading (value);
