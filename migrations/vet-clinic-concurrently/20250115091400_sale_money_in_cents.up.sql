-- A smaller scale means that every row is written anew under ACCESS EXCLUSIVE: by itself, last, and in a quiet hour.
-- (It saves no space: PostgreSQL stores the digits that a number has, not those that its type would allow.)
SET LOCAL lock_timeout = '2s';
-- Writers stay out between the check and the change.
LOCK TABLE "Sale" IN ACCESS EXCLUSIVE MODE;

-- The change of type would round without a word.
DO $$
DECLARE
    fractions bigint;
    example text;
BEGIN
    SELECT count(*), min("id")
    INTO fractions, example
    FROM "Sale"
    WHERE "subtotal" <> round("subtotal", 2) OR "tax" <> round("tax", 2)
       OR "discount" <> round("discount", 2) OR "total" <> round("total", 2);

    IF fractions > 0 THEN
        RAISE EXCEPTION '% sales hold fractions of a cent', fractions
            USING ERRCODE = 'data_exception', DETAIL = '"Sale"."id": ' || example || ' is the first',
                  HINT = 'decide how to round them, then run this again';
    END IF;
END
$$;

ALTER TABLE "Sale"
    ALTER COLUMN "subtotal" TYPE DECIMAL(10, 2),
    ALTER COLUMN "tax" TYPE DECIMAL(10, 2),
    ALTER COLUMN "discount" TYPE DECIMAL(10, 2),
    ALTER COLUMN "total" TYPE DECIMAL(10, 2);
