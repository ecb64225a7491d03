-- RedefineTables
PRAGMA defer_foreign_keys=ON;
PRAGMA foreign_keys=OFF;
-- Prisma sends the file without a transaction: stopped half-way, the copy would be in the way of the next attempt.
BEGIN IMMEDIATE;
CREATE TABLE "new_User" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "email" TEXT NOT NULL,
    "name" TEXT,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "status" TEXT NOT NULL DEFAULT 'active'
);
INSERT INTO "new_User" ("createdAt", "email", "id", "name", "status") SELECT "createdAt", "email", "id", "name", "status" FROM "User";
-- Copied ids move the counter of the copy, and it goes back below numbers that were given out: the new table takes over
-- what the old one knew.
UPDATE "sqlite_sequence" SET "seq" = (SELECT "seq" FROM "sqlite_sequence" WHERE "name" = 'User') WHERE "name" = 'new_User';
DROP TABLE "User";
ALTER TABLE "new_User" RENAME TO "User";
CREATE UNIQUE INDEX "User_email_key" ON "User"("email");
COMMIT;
PRAGMA foreign_keys=ON;
PRAGMA defer_foreign_keys=OFF;
