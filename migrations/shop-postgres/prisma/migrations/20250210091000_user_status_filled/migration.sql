-- lockkeeper: allow data-changed: filling the new column is what this step is for
-- New users get it from now on; then those who are there.
-- AlterTable
ALTER TABLE "User" ALTER COLUMN "status" SET DEFAULT 'active';

UPDATE "User" SET "status" = 'active' WHERE "status" IS NULL;
