DROP INDEX CONCURRENTLY IF EXISTS "CashDrawer_tenantId_status_openedAt_idx";
