ALTER TABLE users VALIDATE CONSTRAINT users_nick_there;
