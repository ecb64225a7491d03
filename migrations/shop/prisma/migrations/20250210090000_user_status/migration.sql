-- AlterTable
ALTER TABLE "User" ADD COLUMN "status" TEXT;
