ALTER TABLE users DROP CONSTRAINT users_nick_there;
ALTER TABLE users ADD CONSTRAINT users_nick_there CHECK (nick IS NOT NULL) NOT VALID;
