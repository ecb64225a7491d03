-- lockkeeper: allow data-changed: the column is new and nobody has filled it yet
UPDATE "User" SET "status" = 'active' WHERE "status" IS NULL;
