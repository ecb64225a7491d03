#pragma once

#include "history/format.h"

/// Knex (https://knexjs.org), run as a program: its migrations are JavaScript or TypeScript.
///   files      those that end with .js, .cjs, .ts, .coffee, .litcoffee, .co, .eg, .iced or .ls, and .mjs
///   where the
///              knexfile's loadExtensions names it (lib/migrations/common/MigrationsLoader.js); folders are
///              not entered
///   order      by name, byte for byte (lib/migrations/migrate/sources/fs-migrations.js)
///   run        `knex migrate:up NAME` and `knex migrate:down NAME`, which run that one alone
///              (lib/migrations/migrate/Migrator.js), in the folder of the knexfile, with its connection and
///              its folder of migrations replaced (bin/cli.js: initKnex); the program is
///              node_modules/.bin/knex in or above that folder, else PATH's
///   transaction  one around each, unless the file exports config = { transaction: false } or the knexfile
///   says
///              disableTransactions; `migrate:latest` puts all that is pending into one, which is not tried
///              here
///   bookkeeping  knex_migrations and knex_migrations_lock, or the knexfile's tableName, by Knex itself
namespace lockkeeper::history::formats::knex {

Format format();

}  // namespace lockkeeper::history::formats::knex
