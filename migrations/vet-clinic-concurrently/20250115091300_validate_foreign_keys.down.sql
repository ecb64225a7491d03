-- A constraint cannot be made unchecked again; it is replaced by one that never was.
SET LOCAL lock_timeout = '2s';

ALTER TABLE "SaleItem"
    DROP CONSTRAINT "SaleItem_productId_fkey",
    ADD CONSTRAINT "SaleItem_productId_fkey" FOREIGN KEY ("productId")
        REFERENCES "Product" ("id") ON DELETE SET NULL ON UPDATE CASCADE NOT VALID;
ALTER TABLE "Pet"
    DROP CONSTRAINT "Pet_customerId_fkey",
    ADD CONSTRAINT "Pet_customerId_fkey" FOREIGN KEY ("customerId")
        REFERENCES "Customer" ("id") ON DELETE CASCADE ON UPDATE CASCADE NOT VALID;
ALTER TABLE "CashDrawer"
    DROP CONSTRAINT "CashDrawer_openedById_fkey",
    ADD CONSTRAINT "CashDrawer_openedById_fkey" FOREIGN KEY ("openedById")
        REFERENCES "User" ("id") ON DELETE SET NULL ON UPDATE CASCADE NOT VALID;
