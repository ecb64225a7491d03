ALTER TABLE "User" DROP CONSTRAINT "User_status_not_null";
