DROP INDEX CONCURRENTLY IF EXISTS "Appointment_tenantId_status_dateTime_idx";
