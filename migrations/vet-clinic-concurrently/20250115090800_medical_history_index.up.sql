-- Not in a transaction; why it drops first is told in 20250115090100.
DROP INDEX CONCURRENTLY IF EXISTS "MedicalHistory_tenantId_visitDate_idx";
CREATE INDEX CONCURRENTLY "MedicalHistory_tenantId_visitDate_idx"
    ON "MedicalHistory" ("tenantId", "visitDate");
