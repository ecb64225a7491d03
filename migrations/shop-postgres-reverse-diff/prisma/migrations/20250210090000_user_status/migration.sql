-- The runbook's first change in one file: added nullable, filled with 'active', then made NOT NULL.
-- AlterTable
ALTER TABLE "User" ADD COLUMN     "status" TEXT;

UPDATE "User" SET "status" = 'active';

-- AlterTable
ALTER TABLE "User" ALTER COLUMN "status" SET NOT NULL;
