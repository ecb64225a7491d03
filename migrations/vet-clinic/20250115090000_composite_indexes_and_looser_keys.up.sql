-- As the runbook has it: everything in one transaction, each step so that it can be run again.
BEGIN;

-- Nine composite indexes, each beginning with the clinic. A plain CREATE INDEX keeps writers out of its table, and here
-- it goes on doing so until the COMMIT at the end of the file.
CREATE INDEX IF NOT EXISTS "Appointment_tenantId_status_dateTime_idx"
    ON "Appointment" ("tenantId", "status", "dateTime");
CREATE INDEX IF NOT EXISTS "Reminder_tenantId_status_dueDate_idx"
    ON "Reminder" ("tenantId", "status", "dueDate");
CREATE INDEX IF NOT EXISTS "Sale_tenantId_status_createdAt_idx"
    ON "Sale" ("tenantId", "status", "createdAt");
CREATE INDEX IF NOT EXISTS "CashDrawer_tenantId_status_openedAt_idx"
    ON "CashDrawer" ("tenantId", "status", "openedAt");
CREATE INDEX IF NOT EXISTS "Staff_tenantId_isActive_idx"
    ON "Staff" ("tenantId", "isActive");
CREATE INDEX IF NOT EXISTS "Service_tenantId_isActive_category_idx"
    ON "Service" ("tenantId", "isActive", "category");
CREATE INDEX IF NOT EXISTS "InventoryItem_tenantId_status_quantity_idx"
    ON "InventoryItem" ("tenantId", "status", "quantity");
CREATE INDEX IF NOT EXISTS "MedicalHistory_tenantId_visitDate_idx"
    ON "MedicalHistory" ("tenantId", "visitDate");
CREATE INDEX IF NOT EXISTS "TreatmentSchedule_tenantId_status_scheduledDate_idx"
    ON "TreatmentSchedule" ("tenantId", "status", "scheduledDate");

-- A user who opened a drawer can go; the drawer stays, opened by nobody. SET NULL needs a column that takes NULL.
ALTER TABLE "CashDrawer" ALTER COLUMN "openedById" DROP NOT NULL;
ALTER TABLE "CashDrawer" DROP CONSTRAINT IF EXISTS "CashDrawer_openedById_fkey";
ALTER TABLE "CashDrawer" ADD CONSTRAINT "CashDrawer_openedById_fkey" FOREIGN KEY ("openedById")
    REFERENCES "User" ("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- A customer takes the pets along.
ALTER TABLE "Pet" DROP CONSTRAINT IF EXISTS "Pet_customerId_fkey";
ALTER TABLE "Pet" ADD CONSTRAINT "Pet_customerId_fkey" FOREIGN KEY ("customerId")
    REFERENCES "Customer" ("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- A product can go; what was sold of it stays, with its description and price.
ALTER TABLE "SaleItem" ALTER COLUMN "productId" DROP NOT NULL;
ALTER TABLE "SaleItem" DROP CONSTRAINT IF EXISTS "SaleItem_productId_fkey";
ALTER TABLE "SaleItem" ADD CONSTRAINT "SaleItem_productId_fkey" FOREIGN KEY ("productId")
    REFERENCES "Product" ("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- Money in cents. Rewrites the table, with all its indexes, while nobody can read it; and rounds without a word.
ALTER TABLE "Sale"
    ALTER COLUMN "subtotal" TYPE DECIMAL(10, 2),
    ALTER COLUMN "tax" TYPE DECIMAL(10, 2),
    ALTER COLUMN "discount" TYPE DECIMAL(10, 2),
    ALTER COLUMN "total" TYPE DECIMAL(10, 2);

COMMIT;
