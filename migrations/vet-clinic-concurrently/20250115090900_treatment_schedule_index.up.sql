-- Not in a transaction; why it drops first is told in 20250115090100.
DROP INDEX CONCURRENTLY IF EXISTS "TreatmentSchedule_tenantId_status_scheduledDate_idx";
CREATE INDEX CONCURRENTLY "TreatmentSchedule_tenantId_status_scheduledDate_idx"
    ON "TreatmentSchedule" ("tenantId", "status", "scheduledDate");
