#include "engine/sqlite/schema_text.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "sql/lexer.h"

namespace lockkeeper::engine::sqlite {

namespace {

using sql::TokenKind;
using Names = std::vector<std::string>;

/// Words that are written in capitals, and names that are them keep their quotes. Those that the expressions
/// and definitions of a schema hold: https://www.sqlite.org/lang_keywords.html
const std::set<std::string, std::less<>>& keywords() {
  static const std::set<std::string, std::less<>> k_words = {
      "abort",        "action",       "add",
      "after",        "all",          "alter",
      "always",       "and",          "as",
      "asc",          "before",       "begin",
      "between",      "by",           "cascade",
      "case",         "cast",         "check",
      "collate",      "column",       "conflict",
      "constraint",   "create",       "cross",
      "current_date", "current_time", "current_timestamp",
      "default",      "deferrable",   "deferred",
      "delete",       "desc",         "distinct",
      "do",           "drop",         "each",
      "else",         "end",          "escape",
      "except",       "exists",       "fail",
      "for",          "foreign",      "from",
      "full",         "generated",    "glob",
      "group",        "having",       "if",
      "ignore",       "immediate",    "in",
      "index",        "initially",    "inner",
      "insert",       "instead",      "intersect",
      "into",         "is",           "isnull",
      "join",         "key",          "left",
      "like",         "limit",        "match",
      "natural",      "no",           "not",
      "nothing",      "notnull",      "null",
      "of",           "offset",       "on",
      "or",           "order",        "outer",
      "over",         "partition",    "primary",
      "raise",        "recursive",    "references",
      "regexp",       "replace",      "restrict",
      "returning",    "right",        "rollback",
      "row",          "rows",         "select",
      "set",          "table",        "temp",
      "temporary",    "then",         "to",
      "transaction",  "trigger",      "union",
      "unique",       "update",       "using",
      "values",       "view",         "virtual",
      "when",         "where",        "window",
      "with",         "without",      "autoincrement",
      "stored",       "strict",       "rowid"};
  return k_words;
}

bool is_simple(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (static_cast<unsigned char>(c) & 0x80) != 0;
  });
}

/// A token with its text, and whether white space or a comment stood before it.
struct Piece {
  TokenKind kind = TokenKind::symbol;
  std::string text;  ///< of a quoted name the name itself
  bool apart = false;

  bool is(std::string_view keyword) const {
    return kind == TokenKind::word && sql::is_keyword(text, keyword);
  }
  bool is_symbol(char symbol) const { return kind == TokenKind::symbol && text[0] == symbol; }
  bool is_name() const { return kind == TokenKind::word || kind == TokenKind::quoted; }
};
using Pieces = std::vector<Piece>;

std::string unquoted(std::string_view quoted) {
  const char open = quoted[0];
  const char close = open == '[' ? ']' : open;
  std::string name;
  for (std::size_t i = 1; i < quoted.size(); ++i) {
    if (quoted[i] != close) {
      name += quoted[i];
    } else if (open != '[' && i + 1 < quoted.size() && quoted[i + 1] == close) {
      name += quoted[i++];
    }
  }
  return name;
}

Pieces pieces_of(std::string_view text) {
  Pieces pieces;
  sql::Lexer lexer(text, 0, sql::Dialect::sqlite);
  std::size_t end = 0;
  for (sql::Token token = lexer.next_code(); token.kind != TokenKind::end_of_text;
       token = lexer.next_code()) {
    Piece piece{token.kind, std::string(token.in(text)), token.begin != end};
    if (token.kind == TokenKind::quoted) piece.text = unquoted(piece.text);
    end = token.end;
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

std::string written(const Piece& piece) {
  if (piece.kind == TokenKind::quoted) {
    const bool plain = is_simple(piece.text) && !keywords().contains(lower(piece.text));
    if (plain) return piece.text;
    std::string quoted = "\"";
    for (const char c : piece.text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
  }
  if (piece.kind == TokenKind::word && keywords().contains(lower(piece.text))) {
    std::string capitals = piece.text;
    for (char& c : capitals) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return capitals;
  }
  return piece.text;
}

bool is_keyword_piece(const Piece& piece) {
  return piece.kind == TokenKind::word && keywords().contains(lower(piece.text));
}

/// Does white space stand between the two where both are written in one form?
bool are_apart(const Piece& left, const Piece& right) {
  const auto is = [](const Piece& piece, std::string_view symbols) {
    return piece.kind == TokenKind::symbol && symbols.find(piece.text[0]) != std::string_view::npos;
  };
  if (is(right, ",;).") || is(left, "(.")) return false;
  if (is(right, "(")) return is_keyword_piece(left) || is(left, ",") || left.kind == TokenKind::symbol;
  if (left.kind == TokenKind::literal && right.kind == TokenKind::word && !right.apart) return false;  // 1e5
  if (left.kind == TokenKind::word && right.kind == TokenKind::literal && !right.apart)
    return false;  // x'00'
  // <=, ||, ->> and a sign stay as they are.
  if (left.kind == TokenKind::symbol && right.kind == TokenKind::symbol) return right.apart || is(left, "),");
  return true;
}

std::string join_pieces(const Piece* begin, const Piece* end) {
  std::string text;
  for (const Piece* piece = begin; piece != end; ++piece) {
    if (piece != begin && are_apart(*(piece - 1), *piece)) text += ' ';
    text += written(*piece);
  }
  return text;
}

/// Walks over the pieces of a CREATE TABLE.
class TableReader {
 public:
  explicit TableReader(std::string_view sql) : m_pieces(pieces_of(sql)) {}

  TableText read() {
    while (m_at < m_pieces.size() && !now().is_symbol('(')) ++m_at;
    if (at_end()) return std::move(m_table);
    ++m_at;
    while (!at_end() && !now().is_symbol(')')) {
      const std::size_t before = m_at;
      read_item();
      skip_to_comma();
      if (!at_end() && now().is_symbol(',')) ++m_at;
      if (m_at == before) break;
    }
    for (; !at_end(); ++m_at) {
      if (now().is("strict")) m_table.strict = true;
      if (now().is("rowid")) m_table.without_rowid = true;
    }
    return std::move(m_table);
  }

 private:
  bool at_end() const { return m_at >= m_pieces.size(); }
  const Piece& now() const { return m_pieces[m_at]; }
  bool is(std::string_view keyword) const { return !at_end() && now().is(keyword); }
  bool is_symbol(char symbol) const { return !at_end() && now().is_symbol(symbol); }
  bool take(std::string_view keyword) {
    if (!is(keyword)) return false;
    ++m_at;
    return true;
  }
  std::string take_name() { return at_end() ? std::string() : m_pieces[m_at++].text; }

  /// What a pair of parentheses holds, with them.
  std::string take_parentheses() {
    const std::size_t begin = m_at;
    int depth = 0;
    for (; !at_end(); ++m_at) {
      if (now().is_symbol('(')) ++depth;
      if (now().is_symbol(')') && --depth == 0) {
        ++m_at;
        break;
      }
    }
    return join_pieces(m_pieces.data() + begin, m_pieces.data() + m_at);
  }

  /// The names in a list of columns; what else stands with them (COLLATE, DESC) belongs to the index.
  Names take_columns() {
    Names names;
    if (!is_symbol('(')) return names;
    ++m_at;
    int depth = 1;
    bool first = true;
    for (; !at_end() && depth > 0; ++m_at) {
      if (now().is_symbol('(')) ++depth;
      if (now().is_symbol(')')) --depth;
      if (first && depth == 1 && now().is_name()) names.push_back(now().text);
      first = depth == 1 && now().is_symbol(',');
    }
    return names;
  }

  void skip_to_comma() {
    int depth = 0;
    for (; !at_end(); ++m_at) {
      if (now().is_symbol('(')) ++depth;
      if (depth == 0 && (now().is_symbol(',') || now().is_symbol(')'))) return;
      if (now().is_symbol(')')) --depth;
    }
  }

  std::string take_conflict() {
    if (!(is("on") && m_at + 1 < m_pieces.size() && m_pieces[m_at + 1].is("conflict"))) return {};
    m_at += 2;
    return lower(take_name());
  }

  void read_item() {
    static constexpr std::array<std::string_view, 5> k_of_table = {"constraint", "primary", "unique", "check",
                                                                   "foreign"};
    if (std::ranges::any_of(k_of_table, [this](auto word) { return is(word); })) {
      while (!at_end() && !is_symbol(',') && !is_symbol(')')) {
        const std::size_t before = m_at;
        read_constraint({});
        if (m_at == before) ++m_at;
      }
      return;
    }
    read_column();
  }

  void read_column() {
    const std::string name = take_name();
    while (!at_end() && !is_symbol(',') && !is_symbol(')')) {
      const std::size_t before = m_at;
      read_constraint(name);
      if (m_at != before) continue;
      // A word of the type, or its numbers.
      if (is_symbol('(')) {
        take_parentheses();
      } else {
        ++m_at;
      }
    }
  }

  /// One constraint, of a column where `column` is not empty.
  void read_constraint(const std::string& column) {
    if (take("constraint")) m_name = take_name();
    if (read_key(column) || read_foreign_key(column)) return;
    if (is("check")) {
      ++m_at;
      TableConstraint check = begin(TableConstraint::Kind::check);
      check.expression = take_parentheses();
      check.on_conflict = take_conflict();
      m_table.constraints.push_back(std::move(check));
      return;
    }
    if (!column.empty()) read_of_column(m_table.columns[column]);
  }

  TableConstraint begin(TableConstraint::Kind kind) {
    TableConstraint constraint;
    constraint.kind = kind;
    constraint.name = std::exchange(m_name, {});
    return constraint;
  }

  bool read_key(const std::string& column) {
    const bool primary = is("primary");
    if (!primary && !is("unique")) return false;
    m_at += primary ? 2 : 1;
    TableConstraint key = begin(primary ? TableConstraint::Kind::primary_key : TableConstraint::Kind::unique);
    key.columns = column.empty() ? take_columns() : Names{column};
    if (!column.empty() && !take("asc")) take("desc");
    key.on_conflict = take_conflict();
    if (take("autoincrement")) m_table.autoincrement = true;
    m_table.constraints.push_back(std::move(key));
    return true;
  }

  bool read_foreign_key(const std::string& column) {
    const bool of_table = is("foreign");
    if (!of_table && !is("references")) return false;
    TableConstraint key = begin(TableConstraint::Kind::foreign_key);
    if (of_table) {
      m_at += 2;
      key.columns = take_columns();
    } else {
      key.columns = {column};
    }
    if (!take("references")) return true;
    key.target = take_name();
    key.target_columns = take_columns();
    while (read_reaction(key)) {
    }
    m_table.constraints.push_back(std::move(key));
    return true;
  }

  /// ON DELETE …, ON UPDATE …, MATCH …, [NOT] DEFERRABLE [INITIALLY …]
  bool read_reaction(TableConstraint& key) {
    const auto next_is = [this](std::string_view word) {
      return m_at + 1 < m_pieces.size() && m_pieces[m_at + 1].is(word);
    };
    if (is("on") && (next_is("delete") || next_is("update"))) {
      std::string& action = next_is("delete") ? key.on_delete : key.on_update;
      m_at += 2;
      action = lower(take_name());
      if (action == "set" || action == "no") action += " " + lower(take_name());
      return true;
    }
    if (take("match")) {
      take_name();  // SQLite reads it and does nothing by it
      return true;
    }
    const bool negated = is("not") && next_is("deferrable");
    if (!negated && !is("deferrable")) return false;
    m_at += negated ? 2 : 1;
    bool deferred = false;
    if (take("initially")) deferred = lower(take_name()) == "deferred";
    // Any other combination is checked at once: https://www.sqlite.org/foreignkeys.html#fk_deferred
    if (!negated && deferred) key.deferrable = "DEFERRABLE INITIALLY DEFERRED";
    return true;
  }

  void read_of_column(ColumnText& column) {
    if (is("not")) {
      m_at += 2;
      column.on_conflict = take_conflict();
    } else if (take("null")) {
      take_conflict();
    } else if (take("default")) {
      skip_default();
    } else if (take("collate")) {
      column.collation = upper_case(take_name());
    } else if (is("generated") || is("as")) {
      if (take("generated")) take("always");
      take("as");
      column.generated = take_parentheses();
      if (take("stored"))
        column.generated += " STORED";
      else
        take("virtual");
    }
    m_name.clear();
  }

  void skip_default() {
    if (is_symbol('(')) {
      take_parentheses();
      return;
    }
    if (is_symbol('-') || is_symbol('+')) ++m_at;
    if (!at_end()) ++m_at;
    // The lexer cuts 1.5 and 1e5, x'00' and 0x1F.
    while (!at_end() && !now().apart && !is_symbol(',') && !is_symbol(')') && !is_symbol('(')) ++m_at;
  }

  static std::string upper_case(std::string text) {
    for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return text;
  }

  Pieces m_pieces;
  std::size_t m_at = 0;
  std::string m_name;  ///< that CONSTRAINT gave to the next one
  TableText m_table;
};

std::string list_of_names(const Names& names) {
  Names shown;
  for (const std::string& name : names) shown.push_back(shown_name(name));
  return "(" + join(shown, ", ") + ")";
}

std::string capitals(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

}  // namespace

std::string normalised(std::string_view sql) {
  const Pieces pieces = pieces_of(sql);
  return join_pieces(pieces.data(), pieces.data() + pieces.size());
}

std::string index_shape(std::string_view sql) {
  Pieces pieces = pieces_of(sql);
  // What an index does anyway.
  std::erase_if(pieces, [](const Piece& piece) { return piece.is("asc"); });
  const auto open = std::ranges::find_if(pieces, [](const Piece& piece) { return piece.is_symbol('('); });
  if (open == pieces.end()) return {};
  const auto begin = static_cast<std::size_t>(open - pieces.begin());
  return join_pieces(pieces.data() + begin, pieces.data() + pieces.size());
}

std::string shown_name(std::string_view name) {
  if (is_simple(name)) return std::string(name);
  std::string quoted = "\"";
  for (const char c : name) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string TableConstraint::bare() const {
  switch (kind) {
    case Kind::primary_key:
      return "PRIMARY KEY " + list_of_names(columns);
    case Kind::unique:
      return "UNIQUE " + list_of_names(columns);
    case Kind::check:
      return "CHECK " + expression;
    case Kind::foreign_key:
      break;
  }
  return fmt::format("FOREIGN KEY {} REFERENCES {}{}", list_of_names(columns), shown_name(target),
                     target_columns.empty() ? "" : " " + list_of_names(target_columns));
}

std::string TableConstraint::definition() const {
  std::string text = bare();
  if (on_delete != "no action") text += " ON DELETE " + capitals(on_delete);
  if (on_update != "no action") text += " ON UPDATE " + capitals(on_update);
  if (!deferrable.empty()) text += " " + deferrable;
  if (!on_conflict.empty() && on_conflict != "abort") text += " ON CONFLICT " + capitals(on_conflict);
  return text;
}

TableText read_table(std::string_view sql) {
  return TableReader(sql).read();
}

}  // namespace lockkeeper::engine::sqlite
