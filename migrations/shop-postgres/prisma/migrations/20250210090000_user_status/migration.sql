-- RISKY made SAFE: the column may be empty at first, so that the release before, which does not know it, goes on.
-- AlterTable
ALTER TABLE "User" ADD COLUMN     "status" TEXT;

-- New users get it from now on. Not in the next step: its lock would be kept while that one fills the others.
-- AlterTable
ALTER TABLE "User" ALTER COLUMN "status" SET DEFAULT 'active';
