#pragma once

#include "history/format.h"

/// Atlas, atlas migrate apply, in its own layout (https://github.com/ariga/atlas).
///   files        every *.sql, the version is what stands before the first '_' (sql/migrate/dir.go: LocalDir,
///                LocalFile); checkpoints (`-- atlas:checkpoint`) are for new databases alone, and left
///   order        by file name, byte by byte
///   directives   comments at the top, apart from the rest by an empty line: `-- atlas:txmode none` or
///   `file`,
///                anything else is refused (cmd/atlas/internal/cmdapi/migrate.go: txmodeFor);
///                `-- atlas:delimiter` on the first line (sql/migrate/lex.go: Scanner.init)
///   sent         statement by statement, in one transaction with the note of it, or each alone with txmode
///                none; with a delimiter, what stands between two of them is one message
///   atlas.sum    is verified here, see history/atlas_sum.h; atlas refuses to go on where it does not match
///   bookkeeping  atlas_schema_revisions.atlas_schema_revisions (cmd/atlas/internal/migrate/ent/migrate/
///                schema.go); hashes are not noted here
/// It has no down files. Detected by atlas.sum, unless the files are of another tool's layout, as Atlas too
/// can read them (.up.sql, goose, dbmate, flyway): then the history is read as that tool has it.
namespace lockkeeper::history::formats::atlas {

Format format();

}  // namespace lockkeeper::history::formats::atlas
