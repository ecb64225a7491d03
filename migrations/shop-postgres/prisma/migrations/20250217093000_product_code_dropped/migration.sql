-- Fourth step: drop the old column, once no release reads it any more. HIGH RISK in the runbook's words.
-- DropIndex
DROP INDEX "Product_productCode_key";

-- AlterTable
ALTER TABLE "Product" DROP COLUMN "productCode";
