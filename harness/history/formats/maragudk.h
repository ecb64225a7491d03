#pragma once

#include "history/format.h"

/// maragudk/migrate (https://github.com/maragudk/migrate, maragu.dev/migrate).
///   files        <version>.up.sql and <version>.down.sql, the version of letters, digits, '_' and '-', as
///                1700000000-users (migrate.go: upMatcher, downMatcher); others are passed over
///   order        by file name, byte by byte (migrate.go: getFilenames)
///   sent         the whole file in one message, in a transaction with the note of it, which it makes first
///                (migrate.go: apply); here the note comes last
///   bookkeeping  migrations(version text), one row: the version where the database is
///                (migrate.go: createMigrationsTable)
/// Its layout is that of `plain`: it is detected by a go.mod above the folder that requires it.
namespace lockkeeper::history::formats::maragudk {

Format format();

}  // namespace lockkeeper::history::formats::maragudk
