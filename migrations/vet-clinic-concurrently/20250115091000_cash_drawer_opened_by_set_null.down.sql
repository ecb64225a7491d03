-- Before anything is touched: rows that lost their reference since stand in the way, and somebody has to decide on them.
DO $$
DECLARE
    lost bigint;
    example text;
BEGIN
    SELECT count(*), min("id") INTO lost, example FROM "CashDrawer" WHERE "openedById" IS NULL;

    IF lost > 0 THEN
        RAISE EXCEPTION '% drawers have no user', lost
            USING ERRCODE = 'not_null_violation', DETAIL = '"CashDrawer"."id": ' || example || ' is the first',
                  HINT = 'give them one or delete them, then run this again';
    END IF;
END
$$;

-- The same in reverse, each strong lock in a short transaction of its own. The CHECK proves that no drawer lacks its
-- user, so that SET NOT NULL need not read the table while it locks everybody out. Can be run again after a stop.

BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE "CashDrawer"
    DROP CONSTRAINT "CashDrawer_openedById_fkey",
    ADD CONSTRAINT "CashDrawer_openedById_fkey" FOREIGN KEY ("openedById")
        REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE NOT VALID,
    DROP CONSTRAINT IF EXISTS "CashDrawer_openedById_present",
    ADD CONSTRAINT "CashDrawer_openedById_present" CHECK ("openedById" IS NOT NULL) NOT VALID;
COMMIT;

BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE "CashDrawer" VALIDATE CONSTRAINT "CashDrawer_openedById_fkey";
ALTER TABLE "CashDrawer" VALIDATE CONSTRAINT "CashDrawer_openedById_present";
COMMIT;

BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE "CashDrawer" ALTER COLUMN "openedById" SET NOT NULL;
ALTER TABLE "CashDrawer" DROP CONSTRAINT "CashDrawer_openedById_present";
COMMIT;
