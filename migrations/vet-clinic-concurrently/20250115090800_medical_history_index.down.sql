DROP INDEX CONCURRENTLY IF EXISTS "MedicalHistory_tenantId_visitDate_idx";
