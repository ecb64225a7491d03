#pragma once

#include "history/format.h"

/// node-pg-migrate (https://github.com/salsita/node-pg-migrate), files in SQL.
///   files      every file of the folder that is not hidden (src/migration.ts: getMigrationFilePaths); .js,
///   .ts
///              and the like are code, which only the project's own program can run; a name without a number
///              at its front is refused (src/utils/fileNameUtils.ts: getNumericPrefix)
///   order      by the number, of which 17 digits are a date and time; equal ones by name as localeCompare
///   has
///              it with numbers by value (src/utils/comparators.ts)
///   sections   from a comment `Up Migration` to one of `Down Migration`, in either order; without the first
///              the whole file is up (src/sqlMigration.ts: getActions)
///   sent       a side as one simple query; all that is pending is one transaction with the notes of it
///              (src/runner.ts, src/migration.ts: _apply)
///   bookkeeping  pgmigrations(id, name, run_on) (src/runner.ts: ensureMigrationsTable)
namespace lockkeeper::history::formats::node_pg_migrate {

Format format();

}  // namespace lockkeeper::history::formats::node_pg_migrate
