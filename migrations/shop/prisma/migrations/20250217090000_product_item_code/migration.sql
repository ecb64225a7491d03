-- AlterTable
ALTER TABLE "Product" ADD COLUMN "itemCode" TEXT;
