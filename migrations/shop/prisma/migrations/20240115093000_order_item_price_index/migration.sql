-- CreateIndex
CREATE INDEX "OrderItem_price_idx" ON "OrderItem"("price");
