-- RISKY made SAFE: the column may be empty at first, so that the release before, which does not know it, goes on.
-- AlterTable
ALTER TABLE "User" ADD COLUMN     "status" TEXT;
