-- Not in a transaction; why it drops first is told in 20250115090100.
DROP INDEX CONCURRENTLY IF EXISTS "Sale_tenantId_status_createdAt_idx";
CREATE INDEX CONCURRENTLY "Sale_tenantId_status_createdAt_idx"
    ON "Sale" ("tenantId", "status", "createdAt");
