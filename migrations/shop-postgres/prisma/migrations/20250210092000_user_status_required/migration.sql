-- A check that is not validated yet needs no scan, and validating it keeps nobody out: SET NOT NULL then finds it proven
-- and does not read the table while it holds its exclusive lock.
ALTER TABLE "User" ADD CONSTRAINT "User_status_not_null" CHECK ("status" IS NOT NULL) NOT VALID;
ALTER TABLE "User" VALIDATE CONSTRAINT "User_status_not_null";

-- AlterTable
ALTER TABLE "User" ALTER COLUMN "status" SET NOT NULL;
ALTER TABLE "User" DROP CONSTRAINT "User_status_not_null";

-- CreateIndex
CREATE INDEX "User_status_idx" ON "User"("status");
