DROP INDEX CONCURRENTLY IF EXISTS "Service_tenantId_isActive_category_idx";
