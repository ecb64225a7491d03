ALTER TABLE "Tenant" DROP COLUMN "timeZone";
