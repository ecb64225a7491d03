#pragma once

#include "history/format.h"

/// Drizzle (https://github.com/drizzle-team/drizzle-orm). Two layouts:
///   drizzle          meta/_journal.json names the files <tag>.sql and their order: the order of its entries
///                    (drizzle-orm/src/migrator.ts: readMigrationFiles). A file that is missing is refused,
///                    others are passed over. On a database where migrations are applied an entry whose
///                    `when` is not above the last one's is passed over in silence (pg-core/dialect.ts:
///                    migrate)
///   drizzle-folders  <time>_<name>/migration.sql with snapshot.json beside it, by name as localeCompare has
///                    it, as of the 1.0 versions (the same files on the branch beta)
///   sent             the text is cut at every `--> statement-breakpoint`, wherever that stands; each piece
///   is
///                    one simple query; all that is pending is one transaction (pg-core/dialect.ts: migrate)
///   down             none
///   bookkeeping      drizzle.__drizzle_migrations, with the migration's tag where Drizzle has a SHA-256 of
///                    its text
namespace lockkeeper::history::formats::drizzle {

Format journal();
Format folders();

}  // namespace lockkeeper::history::formats::drizzle
