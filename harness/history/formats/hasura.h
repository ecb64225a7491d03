#pragma once

#include "history/format.h"

/// Hasura's command line, hasura migrate (https://github.com/hasura/graphql-engine, cli/).
///   files        <number>_<name>/up.sql and down.sql, below migrations/<database>/
///                (cli/migrate/source/file/file.go: Scan); up.yaml and down.yaml change metadata and are
///                left, empty files too, and what it cannot parse; <number>_<name>.up.sql of its first
///                version is left
///   order        by the number (cli/migrate/source/migration.go)
///   sent         each file as one run_sql to the server, which runs it in a transaction
///                (https://hasura.io/docs/2.0/api-reference/schema-api/run-sql/)
///   bookkeeping  none in the database that is migrated: it is in Hasura's own metadata
/// Detected by a config.yaml of Hasura's in or above the folder (metadata_directory, or endpoint).
namespace lockkeeper::history::formats::hasura {

Format format();

}  // namespace lockkeeper::history::formats::hasura
