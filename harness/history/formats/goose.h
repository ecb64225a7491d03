#pragma once

#include "history/format.h"

/// goose (https://github.com/pressly/goose).
///   files        <number>_<name>.sql, the number from 1 on (migration.go: NumericComponent); any other .sql
///                file is refused by the command (migrate.go: collectMigrationsFS), though not by programs
///                that use its Provider; .go files are migrations too, which only such a program can run
///   order        by the number; two of one number are an error, 1 and 001 are one number
///   sections     `-- +goose Up`, `-- +goose Down`, annotations at the beginning of a line whatever their
///                case; a statement ends with a line that ends in a semicolon, or spans from
///                `-- +goose StatementBegin` to `StatementEnd`; `-- +goose NO TRANSACTION` holds for both
///                sides; `-- +goose ENVSUB ON` puts environment variables in (internal/sqlparser/parser.go,
///                https://github.com/mfridman/interpolate); lines of more than 4 MiB are refused
///   sent         statement by statement, in one transaction with the note of it, or each alone
///                (provider_run.go: runIndividually)
///   bookkeeping  goose_db_version(id, version_id, is_applied, tstamp) (internal/dialects/postgres.go)
namespace lockkeeper::history::formats::goose {

Format format();

}  // namespace lockkeeper::history::formats::goose
