CREATE INDEX reading_at ON reading (at);
