-- Reads the whole table, while others read and write it.
ALTER TABLE "User" VALIDATE CONSTRAINT "User_status_not_null";
