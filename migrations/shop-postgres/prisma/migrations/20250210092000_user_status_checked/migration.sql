-- Prisma sends a file as one message, which the server makes one transaction of: what should not be done under this
-- statement's exclusive lock, stands in files of its own. As the check is not validated yet, nothing is read here.
ALTER TABLE "User" ADD CONSTRAINT "User_status_not_null" CHECK ("status" IS NOT NULL) NOT VALID;
