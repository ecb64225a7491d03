-- AlterTable
ALTER TABLE "User" DROP COLUMN "status";
