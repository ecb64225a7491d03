BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE "Pet"
    DROP CONSTRAINT "Pet_customerId_fkey",
    ADD CONSTRAINT "Pet_customerId_fkey" FOREIGN KEY ("customerId")
        REFERENCES "Customer" ("id") ON DELETE SET NULL ON UPDATE CASCADE NOT VALID;
COMMIT;

BEGIN;
SET LOCAL lock_timeout = '2s';
ALTER TABLE "Pet" VALIDATE CONSTRAINT "Pet_customerId_fkey";
COMMIT;
