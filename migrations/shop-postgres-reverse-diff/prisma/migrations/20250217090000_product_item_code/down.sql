-- DropIndex
DROP INDEX "Product_itemCode_key";

-- AlterTable
ALTER TABLE "Product" DROP COLUMN "itemCode",
ADD COLUMN     "productCode" TEXT NOT NULL;

-- CreateIndex
CREATE UNIQUE INDEX "Product_productCode_key" ON "Product"("productCode");
