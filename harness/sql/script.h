#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "record/record.h"
#include "sql/source.h"
#include "sql/statement.h"

namespace lockkeeper::sql {

/// What a tool sends in one way: statements, and the transaction around them.
struct Part {
  std::vector<std::shared_ptr<const Source>> sources;  ///< what the statements' texts lie in
  std::vector<Statement> statements;
  record::TransactionShape shape = record::TransactionShape::one_transaction;
  std::string shape_reason;  ///< why it is sent like this, for people; empty where nothing is to be said
  /// The layout does not say which tool sends it: a statement that the server refuses in a transaction is
  /// sent without one, where a tool of its own rules would fail.
  bool may_leave_transaction = false;
  /// The rows that follow a COPY … FROM STDIN are sent, as psql does; else it fails as it does by every other
  /// client.
  bool sends_copy_data = false;
  /// What the tool's driver says where the file has ended the transaction that the tool is about to commit;
  /// empty where that is nothing to it.
  std::string error_where_ended;
  /// The tool's driver begins another transaction where a statement has ended the one under way, as JDBC does
  /// without autocommit (pgjdbc, core/v3/QueryExecutorImpl.java: sendQueryPreamble).
  bool begins_again = false;
  /// The statements of a message are sent one by one in a pipeline, as JDBC does: what refuses a transaction
  /// passes where nothing of the message waits for its end (postgres.c: XACT_FLAGS_PIPELINING).
  bool pipelines = false;
};

/// One side of a migration as its tool sends it: the parts one after the other in one session.
struct Script {
  std::vector<Part> parts;

  bool empty() const;  ///< no statement at all
};

/// Bytes [first, second) of a source.
using Piece = std::pair<std::size_t, std::size_t>;
Piece all_of(const Source& source);

/// A part that is sent statement by statement.
Result<Part> statement_by_statement(std::shared_ptr<const Source> source, Piece piece,
                                    record::TransactionShape shape);

/// A part whose text is sent in one message: in a transaction of the tool's (`one_transaction`), or in none
/// (`autocommit`), and then the server makes an implicit one where it holds several statements
/// (https://www.postgresql.org/docs/current/protocol-flow.html, Multiple Statements in a Simple Query).
/// `tool` names the sender for the reason. SQLite makes no transaction of several statements.
Result<Part> as_one_message(std::shared_ptr<const Source> source, Piece piece, record::TransactionShape shape,
                            const std::string& tool);

/// A part of which each piece is one message, as tools send that split files by rules of their own.
Result<Part> as_messages(std::shared_ptr<const Source> source, const std::vector<Piece>& pieces,
                         record::TransactionShape shape);

/// All of them as one part, in one transaction.
Part in_one_transaction(std::vector<Part> parts, std::string reason);

}  // namespace lockkeeper::sql
