#pragma once

#include "history/format.h"

/// dbmate (https://github.com/amacneil/dbmate).
///   files      ^(\d+).*\.sql$, the version is the digits (pkg/dbmate/migration.go: migrationFileRegexp)
///   order      by file name (pkg/dbmate/db.go: FindMigrations)
///   sections   `-- migrate:up` and `-- migrate:down`, with `transaction:false` behind either; anything but
///   comments
///              before them is refused (pkg/dbmate/migration.go: parseMigrationContents)
///   sent       a section in one message, in a transaction with the note of it; with transaction:false the
///   message
///              alone (pkg/dbmate/db.go: Migrate)
///   bookkeeping  schema_migrations(version varchar primary key) (pkg/driver/postgres/postgres.go)
namespace lockkeeper::history::formats::dbmate {

Format format();

}  // namespace lockkeeper::history::formats::dbmate
