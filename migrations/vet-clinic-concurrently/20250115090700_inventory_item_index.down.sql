DROP INDEX CONCURRENTLY IF EXISTS "InventoryItem_tenantId_status_quantity_idx";
