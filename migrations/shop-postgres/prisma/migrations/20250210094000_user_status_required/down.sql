ALTER TABLE "User" ADD CONSTRAINT "User_status_not_null" CHECK ("status" IS NOT NULL);

-- AlterTable
ALTER TABLE "User" ALTER COLUMN "status" DROP NOT NULL;
