#pragma once

#include "history/format.h"

/// diesel (https://github.com/diesel-rs/diesel).
///   files        <version>_<name>/up.sql and down.sql; hidden and empty folders are passed over, a folder
///                without up.sql is an error (diesel_migrations/migrations_internals/src/lib.rs:
///                migrations_directories; src/file_based_migrations.rs: SqlFileMigration::from_path)
///   version      the folder's name up to the first '_', without its dashes (version_from_string); shown here
///                as it is written
///   order        by version as text (src/migration_harness.rs: pending_migrations)
///   sent         the whole file in one message, in a transaction with the note of it, unless metadata.toml
///                beside it has run_in_transaction = false, or does not have that key at all: then it is
///                false too (TomlMetadata); it holds for both sides
///   empty        an up.sql of no bytes is refused (run_sql_from_file); a down.sql of none would be when it
///   is
///                run, and counts here as one that does nothing
///   bookkeeping  __diesel_schema_migrations(version varchar(50) primary key, run_on timestamp)
///                (diesel/src/migration/setup_migration_table.sql)
/// Detected by a folder named as diesel names them (2024-12-04-173106, 2024-12-04-173106-0000,
/// 00000000000000_diesel_initial_setup), a metadata.toml, or above it a diesel.toml or a Cargo.toml that
/// names diesel.
namespace lockkeeper::history::formats::diesel {

Format format();

}  // namespace lockkeeper::history::formats::diesel
