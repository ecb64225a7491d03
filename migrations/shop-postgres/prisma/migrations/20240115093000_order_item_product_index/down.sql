-- DropIndex
DROP INDEX "OrderItem_productId_idx";
