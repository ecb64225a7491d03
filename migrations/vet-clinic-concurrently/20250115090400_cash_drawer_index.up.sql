-- Not in a transaction; why it drops first is told in 20250115090100.
DROP INDEX CONCURRENTLY IF EXISTS "CashDrawer_tenantId_status_openedAt_idx";
CREATE INDEX CONCURRENTLY "CashDrawer_tenantId_status_openedAt_idx"
    ON "CashDrawer" ("tenantId", "status", "openedAt");
