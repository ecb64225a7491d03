-- DropIndex
DROP INDEX "User_status_idx";

-- AlterTable
ALTER TABLE "User" ALTER COLUMN "status" DROP NOT NULL;
