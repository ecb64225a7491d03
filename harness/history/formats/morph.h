#pragma once

#include "history/format.h"

/// morph (https://github.com/mattermost/morph).
///   files        ^([0-9]+)_(.*)\.(down|up)\.(.*)$, in folders below too; any other file is an error
///                (models/parse.go, sources/file/file.go: readMigrations). Here a history is one folder:
///                files in folders below it are left
///   order        by file name, byte by byte: 10_b stands before 9_a (morph.go: sortMigrations)
///   pairs        up and down belong together by name, not by number (morph.go: findDownScripts); one whose
///                down has another name cannot be taken back
///   sent         the whole file in one message, in a transaction with the note of it, unless the file begins
///                with `-- morph:nontransactional` (drivers/postgres/postgres.go: Apply)
///   bookkeeping  db_migrations(version bigint primary key, name varchar)
/// Detected by that line or a go.mod above that requires it; else its layout is that of `plain`.
namespace lockkeeper::history::formats::morph {

Format format();

}  // namespace lockkeeper::history::formats::morph
