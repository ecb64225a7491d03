-- The rollback to the letter of the runbook: nine indexes dropped, the drawer's key back to RESTRICT, and no more.
BEGIN;

DROP INDEX IF EXISTS "TreatmentSchedule_tenantId_status_scheduledDate_idx";
DROP INDEX IF EXISTS "MedicalHistory_tenantId_visitDate_idx";
DROP INDEX IF EXISTS "InventoryItem_tenantId_status_quantity_idx";
DROP INDEX IF EXISTS "Service_tenantId_isActive_category_idx";
DROP INDEX IF EXISTS "Staff_tenantId_isActive_idx";
DROP INDEX IF EXISTS "CashDrawer_tenantId_status_openedAt_idx";
DROP INDEX IF EXISTS "Sale_tenantId_status_createdAt_idx";
DROP INDEX IF EXISTS "Reminder_tenantId_status_dueDate_idx";
DROP INDEX IF EXISTS "Appointment_tenantId_status_dateTime_idx";

ALTER TABLE "CashDrawer" DROP CONSTRAINT IF EXISTS "CashDrawer_openedById_fkey";
ALTER TABLE "CashDrawer" ADD CONSTRAINT "CashDrawer_openedById_fkey" FOREIGN KEY ("openedById")
    REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE;

COMMIT;
