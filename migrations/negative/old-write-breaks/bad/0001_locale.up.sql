-- As frameworks do it that keep defaults to themselves: the old rows get one, the new ones do not.
ALTER TABLE users ADD COLUMN locale text NOT NULL DEFAULT 'en';
ALTER TABLE users ALTER COLUMN locale DROP DEFAULT;
