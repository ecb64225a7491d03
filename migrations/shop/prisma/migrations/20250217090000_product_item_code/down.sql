-- AlterTable
ALTER TABLE "Product" DROP COLUMN "itemCode";
