#pragma once

#include "history/format.h"

/// dbmate (https://github.com/amacneil/dbmate), read at version 2.36.
///   files      ^(\d+).*\.sql$, the version is the digits (pkg/dbmate/migration.go: migrationFileRegexp)
///   order      by file name (pkg/dbmate/db.go: FindMigrations)
///   sections   `-- migrate:up` and `-- migrate:down` at the beginning of a line, with `transaction:false`
///              behind either; anything but comments before them, and a file without one of them, is refused
///              (pkg/dbmate/migration.go: parseMigrationContents)
///   sent       a section in one message, in a transaction with the note of it; with transaction:false the
///              message alone (pkg/dbmate/db.go: Migrate). Its driver, lib/pq, refuses to commit a
///              transaction that the section has ended, though all of it stays
///   bookkeeping  schema_migrations(version varchar primary key) in current_schema(), asked for anew whenever
///              it is used (pkg/driver/postgres/postgres.go: migrationsTableNameParts)
namespace lockkeeper::history::formats::dbmate {

Format format();

}  // namespace lockkeeper::history::formats::dbmate
