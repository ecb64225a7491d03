#pragma once

#include "history/format.h"

/// goose (https://github.com/pressly/goose).
///   files      <number>_<name>.sql, the number above zero (migrate.go: NumericComponent); .go files are
///   migrations
///              too, which only the project's own program can run
///   order      by the number; two of one number are an error
///   sections   `-- +goose Up`, `-- +goose Down`; a statement ends with a line that ends in a semicolon, or
///   spans from
///              `-- +goose StatementBegin` to `StatementEnd`; `-- +goose NO TRANSACTION` holds for both
///              sides;
///              `-- +goose ENVSUB ON` puts environment variables in (internal/sqlparser/parser.go)
///   sent       statement by statement, in one transaction with the note of it, or each alone
///   (migration_sql.go) bookkeeping  goose_db_version(id, version_id, is_applied, tstamp)
///   (internal/dialects/postgres.go)
namespace lockkeeper::history::formats::goose {

Format format();

}  // namespace lockkeeper::history::formats::goose
