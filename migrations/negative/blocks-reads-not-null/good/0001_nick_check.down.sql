ALTER TABLE users DROP CONSTRAINT users_nick_there;
