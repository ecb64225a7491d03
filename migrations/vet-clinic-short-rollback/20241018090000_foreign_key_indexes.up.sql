-- For the ON DELETE actions of these keys: without an index each deletion reads the whole referencing table.
CREATE INDEX "Pet_customerId_idx" ON "Pet" ("customerId");
CREATE INDEX "SaleItem_saleId_idx" ON "SaleItem" ("saleId");
CREATE INDEX "SaleItem_productId_idx" ON "SaleItem" ("productId");
CREATE INDEX "CashDrawer_openedById_idx" ON "CashDrawer" ("openedById");
