-- Not in a transaction; why it drops first is told in 20250115090100.
DROP INDEX CONCURRENTLY IF EXISTS "Service_tenantId_isActive_category_idx";
CREATE INDEX CONCURRENTLY "Service_tenantId_isActive_category_idx"
    ON "Service" ("tenantId", "isActive", "category");
