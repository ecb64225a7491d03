-- The check proves it, so the table is not read again. This is the step that Prisma's own schema knows of.
-- AlterTable
ALTER TABLE "User" ALTER COLUMN "status" SET NOT NULL;

ALTER TABLE "User" DROP CONSTRAINT "User_status_not_null";
