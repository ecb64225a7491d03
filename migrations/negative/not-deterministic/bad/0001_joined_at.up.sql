DO $$
BEGIN
  EXECUTE format('ALTER TABLE users ALTER COLUMN joined_at SET DEFAULT %L', clock_timestamp()::text);
END $$;
