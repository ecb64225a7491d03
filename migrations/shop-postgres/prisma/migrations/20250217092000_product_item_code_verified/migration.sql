-- Third step: verify, and let the server hold on to it from here on.
DO $$
DECLARE
    wrong bigint;
BEGIN
    SELECT count(*) INTO wrong FROM "Product" WHERE "itemCode" IS DISTINCT FROM "productCode";
    IF wrong > 0 THEN
        RAISE EXCEPTION '% products have another itemCode than productCode', wrong;
    END IF;
END
$$;

-- AlterTable
ALTER TABLE "Product" ALTER COLUMN "itemCode" SET NOT NULL;

-- CreateIndex
CREATE UNIQUE INDEX "Product_itemCode_key" ON "Product"("itemCode");
