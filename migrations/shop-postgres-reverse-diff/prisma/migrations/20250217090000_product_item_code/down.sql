/*
  Warnings:

  - You are about to drop the column `itemCode` on the `Product` table. All the data in the column will be lost.
  - A unique constraint covering the columns `[productCode]` on the table `Product` will be added. If there are existing duplicate values, this will fail.
  - Added the required column `productCode` to the `Product` table without a default value. This is not possible if the table is not empty.

*/
-- DropIndex
DROP INDEX "Product_itemCode_key";

-- AlterTable
ALTER TABLE "Product" DROP COLUMN "itemCode",
ADD COLUMN     "productCode" TEXT NOT NULL;

-- CreateIndex
CREATE UNIQUE INDEX "Product_productCode_key" ON "Product"("productCode");
