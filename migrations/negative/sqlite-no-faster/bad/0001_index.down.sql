DROP INDEX reading_at;
