-- A product can go; what was sold of it stays, with its description and price. Validated in 20250115091300.
SET LOCAL lock_timeout = '2s';

ALTER TABLE "SaleItem" ALTER COLUMN "productId" DROP NOT NULL;
ALTER TABLE "SaleItem"
    DROP CONSTRAINT "SaleItem_productId_fkey",
    ADD CONSTRAINT "SaleItem_productId_fkey" FOREIGN KEY ("productId")
        REFERENCES "Product" ("id") ON DELETE SET NULL ON UPDATE CASCADE NOT VALID;
