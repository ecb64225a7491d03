-- VALIDATE reads every row, but under SHARE UPDATE EXCLUSIVE on the child and ROW SHARE on the parent: readers and
-- writers go on. One transaction each, so that no lock is kept while the next table is read.
BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE "CashDrawer" VALIDATE CONSTRAINT "CashDrawer_openedById_fkey";
COMMIT;

BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE "Pet" VALIDATE CONSTRAINT "Pet_customerId_fkey";
COMMIT;

BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE "SaleItem" VALIDATE CONSTRAINT "SaleItem_productId_fkey";
COMMIT;
