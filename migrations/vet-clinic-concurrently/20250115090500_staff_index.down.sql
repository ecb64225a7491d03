DROP INDEX CONCURRENTLY IF EXISTS "Staff_tenantId_isActive_idx";
