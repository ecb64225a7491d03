ALTER TABLE "User" DROP CONSTRAINT "User_status_not_null";
ALTER TABLE "User" ADD CONSTRAINT "User_status_not_null" CHECK ("status" IS NOT NULL) NOT VALID;
