#pragma once

#include "history/format.h"

/// golang-migrate (https://github.com/golang-migrate/migrate).
///   files      ^([0-9]+)_(.*)\.(down|up)\.(.*)$ (source/parse.go); two of a version and direction are an
///   error
///              (source/migration.go: Append)
///   order      by the number (source/migration.go)
///   sent       the whole file in one message, no BEGIN: a transaction only where the server makes one of
///   several
///              statements (database/postgres/postgres.go: runStatement, x-multi-statement off)
///   bookkeeping  schema_migrations(version bigint primary key, dirty boolean), emptied and written before
///   and
///              after each side in transactions of its own (database/postgres/postgres.go: SetVersion)
/// Its layout is that of `plain`: it is detected by a go.mod above the folder that requires it.
namespace lockkeeper::history::formats::golang_migrate {

Format format();

}  // namespace lockkeeper::history::formats::golang_migrate
