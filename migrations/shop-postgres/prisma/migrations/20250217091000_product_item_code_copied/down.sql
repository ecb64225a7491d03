-- "productCode" is still there, and still the one that counts.
UPDATE "Product" SET "itemCode" = NULL;
