DROP INDEX CONCURRENTLY IF EXISTS "Sale_tenantId_status_createdAt_idx";
