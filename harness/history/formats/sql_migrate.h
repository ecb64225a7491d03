#pragma once

#include "history/format.h"

/// sql-migrate (https://github.com/rubenv/sql-migrate).
///   files        every *.sql of the folder; one without sections makes it refuse the folder (migrate.go:
///                findMigrations). Its id is the whole file name; the version shown is the number before it,
///                or the name where it has none or another file has the same number
///   order        files with a number before those without, by the number, then by name (migrate.go: Less)
///   sections     lines that begin with `-- +migrate Up` or `Down`, `notransaction` behind either; several of
///                one side are joined, what stands before the first is dropped; a statement ends with a line
///                that ends in a semicolon, or spans from `-- +migrate StatementBegin` to `StatementEnd`;
///                lines of 1 MiB or more are refused (sqlparse/sqlparse.go: ParseMigration). Comment lines,
///                which it cuts out, are sent here
///   sent         statement by statement, in one transaction with the note of it, or each alone
///                (migrate.go: applyMigrations)
///   bookkeeping  gorp_migrations(id text primary key, applied_at timestamptz) (migrate.go:
///   getMigrationDbMap)
namespace lockkeeper::history::formats::sql_migrate {

Format format();

}  // namespace lockkeeper::history::formats::sql_migrate
