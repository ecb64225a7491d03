#pragma once

#include "history/format.h"

/// popx, Ory's way with migrations of fizz' layout (https://github.com/ory/x, popx/).
///   files        ^(\d+)_([^.]+)(\.[a-z0-9]+)?(\.autocommit)?\.(up|down)\.(sql)$ (popx/match.go); files of
///   other
///                dialects are passed over, any other .sql file is an error (popx/migration_box.go:
///                findMigrations). It takes those in folders below too; here they are left
///   dialects     one for PostgreSQL goes before the one for all (popx/migration_info.go: sortAndFilter)
///   order        by version as text; an up without a down is an error (check)
///   templates    each file is a template of Go's; one that has anything to fill in ('{{') is refused here
///   sent         each file in one message, in a transaction with the note of it; without one where
///                `.autocommit` is in its name (popx/migrator.go: UpTo, Down)
///   bookkeeping  schema_migration(version varchar(48), version_self int) (createTransactionalMigrationTable)
/// Files whose versions share their first 14 digits and have more are the steps of one migration, since they
/// are one change in so many files: its version is those 14 digits, each step is sent as above, and down goes
/// through them backwards.
/// Detected by `.autocommit` in a name, or a go.mod above that requires ory/x.
namespace lockkeeper::history::formats::popx {

Format format();

}  // namespace lockkeeper::history::formats::popx
