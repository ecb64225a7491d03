#pragma once

#include "history/format.h"

/// dbmate (https://github.com/amacneil/dbmate).
///   files        ^(\d+).*\.sql$, the version is the digits (pkg/dbmate/db.go: migrationFileRegexp)
///   order        by file name, byte by byte (pkg/dbmate/db.go: FindMigrations)
///   sections     `-- migrate:up` and `-- migrate:down` at the beginning of a line, `transaction:false`
///   behind
///                either; both must be there, in this order, and only comments before them; further pairs
///                follow each other (pkg/dbmate/migration.go: parseMigrationContents, from v2.28 on)
///   sent         a section in one message, in a transaction with the note of it; with transaction:false the
///                message alone (pkg/dbmate/db.go: Migrate)
///   bookkeeping  schema_migrations(version varchar primary key) (pkg/driver/postgres/postgres.go)
/// Of several pairs each notes the version again, which its primary key refuses: a second pair is a fault.
namespace lockkeeper::history::formats::dbmate {

Format format();

}  // namespace lockkeeper::history::formats::dbmate
