-- RedefineTables
PRAGMA defer_foreign_keys=ON;
PRAGMA foreign_keys=OFF;
-- Prisma sends the file without a transaction: stopped half-way, the copy would be in the way of the next attempt.
BEGIN IMMEDIATE;
CREATE TABLE "new_Product" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "itemCode" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "price" DECIMAL NOT NULL,
    "stock" INTEGER NOT NULL DEFAULT 0,
    "picture" BLOB,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO "new_Product" ("itemCode", "createdAt", "description", "id", "name", "picture", "price", "stock") SELECT "itemCode", "createdAt", "description", "id", "name", "picture", "price", "stock" FROM "Product";
UPDATE "sqlite_sequence" SET "seq" = (SELECT "seq" FROM "sqlite_sequence" WHERE "name" = 'Product') WHERE "name" = 'new_Product';
DROP TABLE "Product";
ALTER TABLE "new_Product" RENAME TO "Product";
CREATE UNIQUE INDEX "Product_itemCode_key" ON "Product"("itemCode");
CREATE INDEX "Product_in_stock_idx" ON "Product"("name") WHERE "stock" > 0;
CREATE TRIGGER "Product_price_is_logged" AFTER UPDATE OF "price" ON "Product"
BEGIN
    INSERT INTO "PriceLog" VALUES (old."id", old."price");
END;
COMMIT;
PRAGMA foreign_keys=ON;
PRAGMA defer_foreign_keys=OFF;
