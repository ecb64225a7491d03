DROP INDEX CONCURRENTLY IF EXISTS "Reminder_tenantId_status_dueDate_idx";
