-- lockkeeper: allow data-changed: filling the new column is what this step is for
-- Second step: copy, character by character.
UPDATE "Product" SET "itemCode" = "productCode" WHERE "itemCode" IS NULL;
