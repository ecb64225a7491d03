-- nick stays until no process reads it any more.
ALTER TABLE users ADD COLUMN nickname text;
