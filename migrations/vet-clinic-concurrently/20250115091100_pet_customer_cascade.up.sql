-- A customer takes the pets along. Validated in 20250115091300.
SET LOCAL lock_timeout = '2s';

ALTER TABLE "Pet"
    DROP CONSTRAINT "Pet_customerId_fkey",
    ADD CONSTRAINT "Pet_customerId_fkey" FOREIGN KEY ("customerId")
        REFERENCES "Customer" ("id") ON DELETE CASCADE ON UPDATE CASCADE NOT VALID;
