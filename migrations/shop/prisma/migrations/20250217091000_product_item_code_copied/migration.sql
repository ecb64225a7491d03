-- lockkeeper: allow data-changed: the column is new and nobody has filled it yet
UPDATE "Product" SET "itemCode" = "productCode" WHERE "itemCode" IS NULL;

-- Verified before anything is dropped: one row that differs, and the insert is refused.
CREATE TEMP TABLE "verified" ("differing" INTEGER NOT NULL CHECK ("differing" = 0));
INSERT INTO "verified" SELECT count(*) FROM "Product" WHERE "itemCode" IS NOT "productCode";
DROP TABLE "verified";
