-- Not in a transaction; why it drops first is told in 20250115090100.
DROP INDEX CONCURRENTLY IF EXISTS "Reminder_tenantId_status_dueDate_idx";
CREATE INDEX CONCURRENTLY "Reminder_tenantId_status_dueDate_idx"
    ON "Reminder" ("tenantId", "status", "dueDate");
