#include "sql/script.h"

#include <algorithm>

#include <fmt/format.h>

namespace lockkeeper::sql {

using record::TransactionShape;

bool Script::empty() const {
  return std::all_of(parts.begin(), parts.end(), [](const Part& part) { return part.statements.empty(); });
}

Piece all_of(const Source& source) {
  return {0, source.text().size()};
}

Result<Part> statement_by_statement(std::shared_ptr<const Source> source, Piece piece,
                                    TransactionShape shape) {
  auto part = as_messages(std::move(source), {piece}, shape);
  if (!part) return part;
  for (std::size_t i = 0; i < part->statements.size(); ++i) part->statements[i].message = i;
  return part;
}

Result<Part> as_one_message(std::shared_ptr<const Source> source, Piece piece, TransactionShape shape,
                            const std::string& tool) {
  auto part = as_messages(std::move(source), {piece}, shape);
  if (!part) return part;
  const bool sqlite = !part->sources.empty() && part->sources.front()->dialect() == Dialect::sqlite;
  if (sqlite) {
    // sqlite3_exec() goes from one to the next, and makes no transaction of them.
    for (std::size_t i = 0; i < part->statements.size(); ++i) part->statements[i].message = i;
  } else if (shape == TransactionShape::autocommit && part->statements.size() > 1) {
    part->shape = TransactionShape::one_message;
    part->shape_reason =
        fmt::format("{} sends it as one message, of which the server makes one transaction", tool);
  }
  return part;
}

Result<Part> as_messages(std::shared_ptr<const Source> source, const std::vector<Piece>& pieces,
                         TransactionShape shape) {
  Part part;
  part.shape = shape;
  for (std::size_t message = 0; message < pieces.size(); ++message) {
    Result<std::vector<Statement>> statements =
        split_statements(*source, pieces[message].first, pieces[message].second);
    if (!statements) return failed(statements);
    for (Statement& statement : *statements) {
      statement.message = message;
      part.statements.push_back(statement);
    }
  }
  part.sources.push_back(std::move(source));
  return part;
}

Part in_one_transaction(std::vector<Part> parts, std::string reason) {
  Part joined;
  joined.shape_reason = std::move(reason);
  for (Part& part : parts) {
    joined.sends_copy_data = joined.sends_copy_data || part.sends_copy_data;
    joined.sources.insert(joined.sources.end(), part.sources.begin(), part.sources.end());
    for (Statement& statement : part.statements) {
      statement.message = joined.statements.size();
      joined.statements.push_back(statement);
    }
  }
  return joined;
}

}  // namespace lockkeeper::sql
