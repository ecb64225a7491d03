-- The reverse diff would add the column as NOT NULL at once, which fails as soon as there is one product. So: empty,
-- filled from "itemCode", then NOT NULL.
-- AlterTable
ALTER TABLE "Product" ADD COLUMN     "productCode" TEXT;

UPDATE "Product" SET "productCode" = "itemCode";

ALTER TABLE "Product" ALTER COLUMN "productCode" SET NOT NULL;

-- CreateIndex
CREATE UNIQUE INDEX "Product_productCode_key" ON "Product"("productCode");
