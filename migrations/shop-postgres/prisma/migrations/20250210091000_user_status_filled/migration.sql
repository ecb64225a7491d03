-- lockkeeper: allow data-changed: filling the new column is what this step is for
-- Those who are there already, in a transaction that holds no lock on the table.
UPDATE "User" SET "status" = 'active' WHERE "status" IS NULL;
