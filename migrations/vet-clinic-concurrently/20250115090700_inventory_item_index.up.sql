-- Not in a transaction; why it drops first is told in 20250115090100.
DROP INDEX CONCURRENTLY IF EXISTS "InventoryItem_tenantId_status_quantity_idx";
CREATE INDEX CONCURRENTLY "InventoryItem_tenantId_status_quantity_idx"
    ON "InventoryItem" ("tenantId", "status", "quantity");
