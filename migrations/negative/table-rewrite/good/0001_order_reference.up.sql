-- New orders get one; the application fills it for the others, some at a time.
ALTER TABLE orders ADD COLUMN reference uuid;
ALTER TABLE orders ALTER COLUMN reference SET DEFAULT gen_random_uuid();
