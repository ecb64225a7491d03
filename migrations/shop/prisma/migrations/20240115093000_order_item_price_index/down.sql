-- DropIndex
DROP INDEX "OrderItem_price_idx";
