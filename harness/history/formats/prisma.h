#pragma once

#include "history/format.h"

/// Prisma Migrate (https://github.com/prisma/prisma, https://github.com/prisma/prisma-engines).
///   files      every folder is a migration and must hold migration.sql; beside the folders lies
///              migration_lock.toml with the provider (packages/migrate/src/utils/listMigrations.ts,
///              schema-connector/src/migrations_directory.rs)
///   order      by the folders' names as localeCompare has it (listMigrations.ts)
///   sent       the file as one simple query, no BEGIN
///              (flavour/postgres/connector/native/mod.rs: apply_migration_script); for CockroachDB with the
///              implicit transaction turned off (the same file)
///   down       none of its own; its guide for it is a down.sql beside migration.sql, sent by `prisma db
///              execute` as one simple query too
///   bookkeeping  _prisma_migrations, a row before the script and two updates after it, in transactions of
///              their own (schema-engine/core/src/commands/apply_migrations.rs); its checksum is empty here
namespace lockkeeper::history::formats::prisma {

Format format();

}  // namespace lockkeeper::history::formats::prisma
