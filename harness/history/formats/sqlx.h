#pragma once

#include "history/format.h"

/// sqlx, its migrate! and sqlx-cli (https://github.com/launchbadge/sqlx).
///   files        <number>_<name>.sql without a down, <number>_<name>.up.sql and .down.sql with one; what has
///                no '_' or does not end in .sql is passed over, what has another prefix than a number makes
///                it refuse the folder (sqlx-core/src/migrate/source.rs: resolve_blocking_with_config)
///   order        by the number
///   sent         the whole file in one message, in a transaction with the note of it, unless the file begins
///                with `-- no-transaction`, each side for itself (sqlx-postgres/src/migrate.rs: apply,
///                revert)
///   bookkeeping  _sqlx_migrations(version bigint primary key, description, installed_on, success, checksum,
///                execution_time) (sqlx-postgres/src/migrate.rs: ensure_migrations_table); the checksum,
///                SHA-384 of the file, is noted here as no bytes
/// A down without its up is never run (sqlx-core/src/migrate/migrator.rs: undo), and left.
/// Detected by a Cargo.toml in or above the folder that names sqlx, a sqlx.toml, or a file that begins with
/// `-- no-transaction`.
namespace lockkeeper::history::formats::sqlx {

Format format();

}  // namespace lockkeeper::history::formats::sqlx
