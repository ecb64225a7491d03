#pragma once

#include "history/format.h"

/// Sequelize (https://github.com/sequelize/cli), run as a program: its migrations are JavaScript or
/// TypeScript.
///   files      those that end with .js, .cjs, .ts or .cts, but .d.ts (src/core/migrator.js); folders are not
///   entered order      by name, byte for byte (umzug 2: src/index.js: _findMigrations) run `sequelize-cli
///   db:migrate --to NAME` and `db:migrate:undo --name NAME`, in the folder of .sequelizerc,
///              else of the package.json that names the tool, with the connection and the folder of
///              migrations replaced (--url, --migrations-path); so nothing else of the project's
///              configuration counts: neither dialectOptions nor another table than SequelizeMeta. The
///              program is node_modules/.bin/sequelize-cli in or above that folder, else PATH's
///   down       exports.down; the tool fails where there is none
///   transaction  none but the migration's own
///   bookkeeping  SequelizeMeta, by the tool itself
namespace lockkeeper::history::formats::sequelize {

Format format();

}  // namespace lockkeeper::history::formats::sequelize
