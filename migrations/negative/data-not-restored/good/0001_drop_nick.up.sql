-- A later release drops it, when this one cannot be rolled back any more.
ALTER TABLE users RENAME COLUMN nick TO nick_unused;
