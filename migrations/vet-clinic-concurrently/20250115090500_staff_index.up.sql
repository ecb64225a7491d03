-- Not in a transaction; why it drops first is told in 20250115090100.
DROP INDEX CONCURRENTLY IF EXISTS "Staff_tenantId_isActive_idx";
CREATE INDEX CONCURRENTLY "Staff_tenantId_isActive_idx"
    ON "Staff" ("tenantId", "isActive");
