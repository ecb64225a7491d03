-- A user who opened a drawer can go; the drawer stays, opened by nobody.
-- NOT VALID: new rows are checked from now on, the old ones in 20250115091300 under a lock that lets others work.
SET LOCAL lock_timeout = '2s';

ALTER TABLE "CashDrawer" ALTER COLUMN "openedById" DROP NOT NULL;
ALTER TABLE "CashDrawer"
    DROP CONSTRAINT "CashDrawer_openedById_fkey",
    ADD CONSTRAINT "CashDrawer_openedById_fkey" FOREIGN KEY ("openedById")
        REFERENCES "User" ("id") ON DELETE SET NULL ON UPDATE CASCADE NOT VALID;
