-- The runbook's rollback drops the nine indexes and puts the drawer's key back to RESTRICT. The rest of what up did has
-- to be undone as well, or else the old release meets a schema that it never knew.
BEGIN;

ALTER TABLE "Sale"
    ALTER COLUMN "subtotal" TYPE DECIMAL(65, 30),
    ALTER COLUMN "tax" TYPE DECIMAL(65, 30),
    ALTER COLUMN "discount" TYPE DECIMAL(65, 30),
    ALTER COLUMN "total" TYPE DECIMAL(65, 30);

ALTER TABLE "SaleItem" DROP CONSTRAINT IF EXISTS "SaleItem_productId_fkey";
ALTER TABLE "SaleItem" ADD CONSTRAINT "SaleItem_productId_fkey" FOREIGN KEY ("productId")
    REFERENCES "Product" ("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "SaleItem" ALTER COLUMN "productId" SET NOT NULL;

ALTER TABLE "Pet" DROP CONSTRAINT IF EXISTS "Pet_customerId_fkey";
ALTER TABLE "Pet" ADD CONSTRAINT "Pet_customerId_fkey" FOREIGN KEY ("customerId")
    REFERENCES "Customer" ("id") ON DELETE SET NULL ON UPDATE CASCADE;

ALTER TABLE "CashDrawer" DROP CONSTRAINT IF EXISTS "CashDrawer_openedById_fkey";
ALTER TABLE "CashDrawer" ADD CONSTRAINT "CashDrawer_openedById_fkey" FOREIGN KEY ("openedById")
    REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE;
ALTER TABLE "CashDrawer" ALTER COLUMN "openedById" SET NOT NULL;

DROP INDEX IF EXISTS "TreatmentSchedule_tenantId_status_scheduledDate_idx";
DROP INDEX IF EXISTS "MedicalHistory_tenantId_visitDate_idx";
DROP INDEX IF EXISTS "InventoryItem_tenantId_status_quantity_idx";
DROP INDEX IF EXISTS "Service_tenantId_isActive_category_idx";
DROP INDEX IF EXISTS "Staff_tenantId_isActive_idx";
DROP INDEX IF EXISTS "CashDrawer_tenantId_status_openedAt_idx";
DROP INDEX IF EXISTS "Sale_tenantId_status_createdAt_idx";
DROP INDEX IF EXISTS "Reminder_tenantId_status_dueDate_idx";
DROP INDEX IF EXISTS "Appointment_tenantId_status_dateTime_idx";

COMMIT;
