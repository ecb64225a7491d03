#pragma once

#include "history/format.h"

/// Supabase's command line, supabase db push and migration up (https://github.com/supabase/cli).
///   files        ^([0-9]+)_(.*)\.sql$ in supabase/migrations; others are passed over, and so is a first file
///                <14 digits>_init.sql from before 2021-12-09 (pkg/migration/list.go: ListLocalMigrations)
///   order        by file name, byte by byte
///   sent         split into statements that go in one pipeline with the note of it, of which the server
///   makes
///                one transaction (pkg/migration/file.go: ExecBatch); here in a transaction, statement by
///                statement. CREATE INDEX CONCURRENTLY and the like can be the first of a pipeline, then what
///                follows is a transaction of its own, and nothing else (seen with PostgreSQL 15)
///   bookkeeping  supabase_migrations.schema_migrations(version text primary key, statements text[], name
///                text) (pkg/migration/history.go); the statements are not noted here
/// It has no down. Detected by the folder's path.
namespace lockkeeper::history::formats::supabase {

Format format();

}  // namespace lockkeeper::history::formats::supabase
