#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/source.h"

namespace lockkeeper::sql {

/// What the first words of a statement tell of how it must be sent. Only what needs no knowledge of the
/// server.
enum class StatementKind {
  ordinary,
  begin,            ///< BEGIN, START TRANSACTION
  end,              ///< COMMIT, END, ROLLBACK, ABORT, PREPARE TRANSACTION (not ROLLBACK TO)
  set_transaction,  ///< SET [LOCAL|SESSION CHARACTERISTICS AS] TRANSACTION: must stand before any query of
                    ///< its transaction
  no_transaction,   ///< cannot run in a transaction block: CONCURRENTLY, VACUUM, CREATE DATABASE, ALTER
                    ///< SYSTEM, …
  copy_from_stdin   ///< needs a client that sends the rows, as psql does: Statement::copy_data
};

/// One statement of a file, without its semicolon and without the white space and comments before it.
struct Statement {
  std::string_view text;           ///< into the source, which must live longer
  const Source* source = nullptr;  ///< that it stands in
  std::size_t offset = 0;          ///< of `text` in the source
  Location location;
  StatementKind kind = StatementKind::ordinary;
  /// For copy_from_stdin: the lines after it up to the one that is `\.`, or to the end, as psql would send
  /// them.
  std::string_view copy_data;
  /// Statements of one part with the same number are sent in one message.
  std::size_t message = 0;
};

/// Splits a file into statements as PostgreSQL's own scanner reads them (libpg_query), BEGIN ATOMIC bodies
/// whole. What the scanner of that one version refuses or drops (newer number formats, nonsense) is split by
/// our own Lexer, so that nothing of the file is lost and the server is the one to judge it. What is never
/// closed (a quote, a parenthesis) is one statement up to the end of the file. A psql meta-command (a
/// backslash outside of quotes) is a usage failure that names the tool. SQLite's are split as its shell does
/// (src/complete.c), the bodies of triggers whole; a command of the shell (a dot where a statement begins) is
/// such a failure too.
Result<std::vector<Statement>> split_statements(const Source& source);
/// The same for bytes [begin, end) of it.
Result<std::vector<Statement>> split_statements(const Source& source, std::size_t begin, std::size_t end);

/// `-- lockkeeper: allow <rule>: <reason> [until YYYY-MM-DD]` comments of a file, in order.
struct AllowComment {
  std::string rule;
  std::string reason;
  std::string until;
  Location location;
};
/// A usage failure where such a comment is malformed (no reason, a bad date).
Result<std::vector<AllowComment>> allow_comments(const Source& source);

}  // namespace lockkeeper::sql
