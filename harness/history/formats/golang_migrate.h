#pragma once

#include "history/format.h"

/// golang-migrate (https://github.com/golang-migrate/migrate).
///   files        ^([0-9]+)_(.*)\.(down|up)\.(.*)$ (source/parse.go); two of a number and direction are an
///                error, 1 and 001 are one number (source/migration.go: Append, source/iofs/iofs.go: Init)
///   order        by the number (source/migration.go: buildIndex)
///   sent         the whole file in one message, no BEGIN: a transaction only where the server makes one of
///                several statements (database/postgres/postgres.go: runStatement, x-multi-statement off)
///   bookkeeping  schema_migrations(version bigint, dirty boolean), emptied and written before and after each
///                side in transactions of its own (database/postgres/postgres.go: SetVersion)
/// A down without its up would be run as an up of nothing (migrate.go: newMigration); here it is a fault.
/// Its layout is that of `plain`: it is detected by a go.mod above the folder that requires it.
namespace lockkeeper::history::formats::golang_migrate {

Format format();

}  // namespace lockkeeper::history::formats::golang_migrate
