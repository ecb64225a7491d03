-- DropIndex
DROP INDEX "Product_itemCode_key";

-- AlterTable
ALTER TABLE "Product" ALTER COLUMN "itemCode" DROP NOT NULL;
