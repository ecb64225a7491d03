-- Before anything is touched: rows that lost their reference since stand in the way, and somebody has to decide on them.
DO $$
DECLARE
    lost bigint;
    example text;
BEGIN
    SELECT count(*), min("id") INTO lost, example FROM "SaleItem" WHERE "productId" IS NULL;

    IF lost > 0 THEN
        RAISE EXCEPTION '% lines of receipts have no product', lost
            USING ERRCODE = 'not_null_violation', DETAIL = '"SaleItem"."id": ' || example || ' is the first',
                  HINT = 'give them one or delete them, then run this again';
    END IF;
END
$$;

-- As in 20250115091000: the CHECK spares SET NOT NULL its scan. Can be run again after a stop.

BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE "SaleItem"
    DROP CONSTRAINT "SaleItem_productId_fkey",
    ADD CONSTRAINT "SaleItem_productId_fkey" FOREIGN KEY ("productId")
        REFERENCES "Product" ("id") ON DELETE RESTRICT ON UPDATE CASCADE NOT VALID,
    DROP CONSTRAINT IF EXISTS "SaleItem_productId_present",
    ADD CONSTRAINT "SaleItem_productId_present" CHECK ("productId" IS NOT NULL) NOT VALID;
COMMIT;

BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE "SaleItem" VALIDATE CONSTRAINT "SaleItem_productId_fkey";
ALTER TABLE "SaleItem" VALIDATE CONSTRAINT "SaleItem_productId_present";
COMMIT;

BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE "SaleItem" ALTER COLUMN "productId" SET NOT NULL;
ALTER TABLE "SaleItem" DROP CONSTRAINT "SaleItem_productId_present";
COMMIT;
