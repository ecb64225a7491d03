-- What was filled in is empty again; what somebody has set since, to anything else, is not ours to take away.
UPDATE "User" SET "status" = NULL WHERE "status" = 'active';
