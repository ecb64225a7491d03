-- The runbook's second change in one file: add, copy, verify, drop the old one.
-- AlterTable
ALTER TABLE "Product" ADD COLUMN     "itemCode" TEXT;

UPDATE "Product" SET "itemCode" = "productCode";

DO $$
BEGIN
    IF EXISTS (SELECT FROM "Product" WHERE "itemCode" IS DISTINCT FROM "productCode") THEN
        RAISE EXCEPTION 'some products have another itemCode than productCode';
    END IF;
END
$$;

-- AlterTable
ALTER TABLE "Product" ALTER COLUMN "itemCode" SET NOT NULL;

-- CreateIndex
CREATE UNIQUE INDEX "Product_itemCode_key" ON "Product"("itemCode");

-- DropIndex
DROP INDEX "Product_productCode_key";

-- AlterTable
ALTER TABLE "Product" DROP COLUMN "productCode";
