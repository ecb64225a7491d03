#include <fmt/format.h>

#include "history/history.h"
#include "sql/kind.h"

namespace lockkeeper::history {

namespace {

std::string reason(const sql::Statement& statement) {
  return fmt::format("{} at {}:{}", sql::headline(statement.text), statement.location.line,
                     statement.location.column);
}

/// A file with its own BEGIN or COMMIT decides by itself; wrapped into a transaction of ours, its COMMIT
/// would end that one, and what follows it would run without any.
void decide_shape(Script& script) {
  for (const sql::Statement& statement : script.statements) {
    if (statement.kind == sql::StatementKind::begin || statement.kind == sql::StatementKind::end) {
      script.shape = record::TransactionShape::own_transactions;
      script.shape_reason = reason(statement);
      return;
    }
  }
  for (const sql::Statement& statement : script.statements) {
    if (statement.kind == sql::StatementKind::no_transaction) {
      script.shape = record::TransactionShape::autocommit;
      script.shape_reason = reason(statement);
      return;
    }
  }
}

Result<Script> read(const std::string& path) {
  Result<sql::Source> source = sql::Source::read(path);
  if (!source) return failed(source);
  Script script;
  script.source = std::make_shared<const sql::Source>(std::move(*source));
  Result<std::vector<sql::Statement>> statements = sql::split_statements(*script.source);
  if (!statements) return failed(statements);
  script.statements = std::move(*statements);
  decide_shape(script);
  return script;
}

}  // namespace

Result<Script> Migration::up() const {
  return read(up_path);
}

Result<Script> Migration::down() const {
  return read(*down_path);
}

}  // namespace lockkeeper::history
