-- A rename in four steps; RENAME COLUMN would break the release before at once. First step: add.
-- AlterTable
ALTER TABLE "Product" ADD COLUMN     "itemCode" TEXT;
