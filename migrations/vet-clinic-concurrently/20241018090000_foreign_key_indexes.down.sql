DROP INDEX "CashDrawer_openedById_idx";
DROP INDEX "SaleItem_productId_idx";
DROP INDEX "SaleItem_saleId_idx";
DROP INDEX "Pet_customerId_idx";
