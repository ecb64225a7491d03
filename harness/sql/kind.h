#pragma once

#include <string>
#include <string_view>

#include "sql/statement.h"

namespace lockkeeper::sql {

/// The kind of one statement by its first words, without its semicolon. What only the server knows stays
/// `ordinary`: REINDEX of a partitioned table, a procedure or DO block that commits. CREATE and DROP
/// SUBSCRIPTION count as no_transaction although the server lets those without a replication slot run in one.
/// A PRAGMA that a transaction makes ineffective is `ordinary` too: SQLite lets it pass without a word.
StatementKind kind_of(std::string_view statement, Dialect dialect = Dialect::postgres);

/// The first words of a statement in capitals, as far as they tell its kind: "CREATE UNIQUE INDEX
/// CONCURRENTLY", "ALTER TABLE … CONCURRENTLY", "VACUUM", "BEGIN".
std::string headline(std::string_view statement);

}  // namespace lockkeeper::sql
