-- The runbook's second change in one file. Prisma knows neither partial indexes nor triggers, so its rebuild forgets both.
-- AlterTable
ALTER TABLE "Product" ADD COLUMN "itemCode" TEXT;

UPDATE "Product" SET "itemCode" = "productCode";

-- RedefineTables
PRAGMA defer_foreign_keys=ON;
PRAGMA foreign_keys=OFF;
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
DROP TABLE "Product";
ALTER TABLE "new_Product" RENAME TO "Product";
CREATE UNIQUE INDEX "Product_itemCode_key" ON "Product"("itemCode");
PRAGMA foreign_keys=ON;
PRAGMA defer_foreign_keys=OFF;
