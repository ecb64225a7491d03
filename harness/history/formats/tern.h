#pragma once

#include "history/format.h"

/// tern (https://github.com/jackc/tern).
///   files        ^(\d+)_.+\.sql$; others are passed over. The numbers must go 1, 2, 3 … without a gap, and
///                none may stand twice (migrate/migrate.go: FindMigrations)
///   sections     up, the line `---- create above / drop below ----`, down; an up of comments alone is
///                refused; without the line, or with nothing below it, there is no way back (LoadMigrations,
///                irreversible)
///   templates    each side is a template of Go's (evalMigration); one that has anything to fill in ('{{') is
///                refused here, since its data and functions are tern's
///   sent         the side in one message, in a transaction with the note of it; with a line
///                `---- tern: disable-tx ----` in the side, statement by statement, each alone (MigrateTo,
///                doSQLMigration)
///   bookkeeping  public.schema_version(version int4), one row: where the database is
///                (ensureSchemaVersionTableExists; main.go: the default of --version-table)
/// Detected by the line between the sections, or a tern.conf in the folder or above it.
namespace lockkeeper::history::formats::tern {

Format format();

}  // namespace lockkeeper::history::formats::tern
