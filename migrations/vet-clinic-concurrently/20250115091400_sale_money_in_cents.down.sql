-- Rewrites the table once more: in a quiet hour.
SET LOCAL lock_timeout = '2s';

ALTER TABLE "Sale"
    ALTER COLUMN "subtotal" TYPE DECIMAL(65, 30),
    ALTER COLUMN "tax" TYPE DECIMAL(65, 30),
    ALTER COLUMN "discount" TYPE DECIMAL(65, 30),
    ALTER COLUMN "total" TYPE DECIMAL(65, 30);
