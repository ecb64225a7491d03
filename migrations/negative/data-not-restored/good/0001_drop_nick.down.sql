ALTER TABLE users RENAME COLUMN nick_unused TO nick;
