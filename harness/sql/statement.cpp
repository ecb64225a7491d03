#include "sql/statement.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "sql/kind.h"
#include "sql/lexer.h"
#include "sql/scanner_cuts.h"
#include "sql/walk.h"

namespace lockkeeper::sql {

namespace {

/// What one walk over a statement finds.
struct Walk {
  std::size_t code_end = 0;  ///< end of its last token
  std::size_t end = 0;       ///< its semicolon, or the end of the text
  std::optional<std::size_t> meta_command;
};

/// Walks from the first token of a statement to its end: to `cut` where the scanner knew one and no routine's
/// body is open there, else to the first semicolon outside of parentheses and bodies.
Walk walk_statement(std::string_view text, std::size_t begin, std::optional<std::size_t> cut) {
  Walk walk{begin, text.size(), std::nullopt};
  Lexer lexer(text, begin);
  RoutineBody body;
  int parentheses = 0;
  for (Token token = lexer.next_code(); token.kind != TokenKind::end_of_text; token = lexer.next_code()) {
    const char first = text[token.begin];
    if (token.kind == TokenKind::symbol && first == ';' && !body.open() &&
        (cut ? token.begin >= *cut : parentheses == 0)) {
      walk.end = token.begin;
      return walk;
    }
    if (token.kind == TokenKind::word) body.see(token.in(text), parentheses);
    if (token.kind == TokenKind::symbol) {
      if (first == '(') ++parentheses;
      if (first == ')' && parentheses > 0) --parentheses;
      if (first == '\\') {
        walk.meta_command = token.begin;
        return walk;
      }
    }
    walk.code_end = token.end;
  }
  return walk;
}

/// The same for SQLite, where a semicolon within parentheses ends a statement all the same.
Walk walk_sqlite(std::string_view text, std::size_t begin) {
  Walk walk{begin, text.size(), std::nullopt};
  if (text[begin] == '.') walk.meta_command = begin;
  Lexer lexer(text, begin, Dialect::sqlite);
  TriggerBody body;
  for (Token token = lexer.next_code(); token.kind != TokenKind::end_of_text; token = lexer.next_code()) {
    if (token.kind == TokenKind::symbol && text[token.begin] == ';' && !body.open()) {
      walk.end = token.begin;
      return walk;
    }
    body.see(token, text);
    walk.code_end = token.end;
  }
  return walk;
}

/// `\i`, `\.`, `\connect`: what stands behind the backslash, up to white space.
std::string meta_command_at(std::string_view text, std::size_t at) {
  const std::size_t end = text.find_first_of(" \t\r\n;'\"", at);
  return abridged(text.substr(at, end == std::string_view::npos ? end : end - at), 20);
}

std::string meta_command_hint(std::string_view command) {
  constexpr std::string_view k_who =
      "only psql (by hand or through sqitch) runs files with meta-commands, not a migration tool that sends "
      "SQL: ";
  if (command.starts_with("\\i")) return fmt::format("{}put the text of the included file here", k_who);
  if (command == "\\copy" || command == "\\.")
    return fmt::format("{}write the rows as INSERT statements", k_who);
  if (command == "\\c" || command == "\\connect") {
    return fmt::format("{}leave it out, a migration runs on the database it is given", k_who);
  }
  if (command == "\\set" || command.starts_with("\\g")) {
    return fmt::format("{}write the value itself, or a DO block that finds it", k_who);
  }
  return fmt::format("{}write it as plain SQL, or leave it out", k_who);
}

/// The first token of the next statement; empty statements are passed over.
Token next_statement(std::string_view text, std::size_t at, Dialect dialect) {
  Lexer lexer(text, at, dialect);
  Token token = lexer.next_code();
  while (token.kind == TokenKind::symbol && text[token.begin] == ';') token = lexer.next_code();
  return token;
}

}  // namespace

Result<std::vector<Statement>> split_statements(const Source& source) {
  return split_statements(source, 0, source.text().size());
}

Result<std::vector<Statement>> split_statements(const Source& source, std::size_t begin, std::size_t end) {
  const std::string_view text = source.text().substr(0, end);
  const Dialect dialect = source.dialect();
  const bool sqlite = dialect == Dialect::sqlite;
  std::vector<Statement> statements;
  ScannerCuts cuts(sqlite ? std::string_view() : text);
  Places places(source, begin);
  for (Token first = next_statement(text, begin, dialect); first.kind != TokenKind::end_of_text;) {
    const Walk walk =
        sqlite ? walk_sqlite(text, first.begin) : walk_statement(text, first.begin, cuts.end_of(first.begin));
    if (walk.meta_command) {
      const std::string command = meta_command_at(text, *walk.meta_command);
      return failed(
          FailureKind::usage,
          fmt::format("{} '{}' in '{}': it is not SQL",
                      sqlite ? "command of the sqlite3 shell" : "psql meta-command", command, source.path()),
          sqlite ? "no migration tool runs it: write it as plain SQL, or leave it out"
                 : meta_command_hint(command),
          places.at(*walk.meta_command));
    }
    Statement statement;
    statement.text = text.substr(first.begin, walk.code_end - first.begin);
    statement.source = &source;
    statement.offset = first.begin;
    statement.location = places.at(first.begin);
    statement.kind = kind_of(statement.text, dialect);
    std::size_t next = walk.end;
    if (statement.kind == StatementKind::copy_from_stdin && walk.end < text.size()) {
      const CopyData data = copy_data_after(text, walk.end);
      statement.copy_data = data.rows;
      next = data.next;
      cuts.forget();
    }
    statements.push_back(std::move(statement));
    first = next_statement(text, next, dialect);
  }
  return statements;
}

}  // namespace lockkeeper::sql
