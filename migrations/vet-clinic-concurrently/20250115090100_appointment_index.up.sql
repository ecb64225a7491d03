-- Without a transaction, and one index a file: stopped half-way, only this one has to be run again. What a stopped run
-- leaves is an INVALID index of this very name, which IF NOT EXISTS would take for the real one: it is dropped first.
-- No lock_timeout: the build waits for transactions that were open before it, and giving up is what leaves it invalid.
DROP INDEX CONCURRENTLY IF EXISTS "Appointment_tenantId_status_dateTime_idx";
CREATE INDEX CONCURRENTLY "Appointment_tenantId_status_dateTime_idx"
    ON "Appointment" ("tenantId", "status", "dateTime");
