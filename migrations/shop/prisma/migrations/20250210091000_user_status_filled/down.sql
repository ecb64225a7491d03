-- Nobody writes anything else yet.
UPDATE "User" SET "status" = NULL;
