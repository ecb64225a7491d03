UPDATE "Product" SET "itemCode" = NULL;
