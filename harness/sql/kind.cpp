#include "sql/kind.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>

#include "sql/lexer.h"

namespace lockkeeper::sql {

namespace {

/// The first tokens of a statement. 48 reach over the longest head that matters: a qualified COPY or DETACH.
class Head {
 public:
  explicit Head(std::string_view statement) : m_text(statement) {
    Lexer lexer(statement);
    int depth = 0;
    for (Token token = lexer.next_code(); m_size < m_tokens.size() && token.kind != TokenKind::end_of_text;
         token = lexer.next_code()) {
      const char first = statement[token.begin];
      if (token.kind == TokenKind::symbol && first == ')') --depth;
      m_depths[m_size] = depth;
      m_tokens[m_size++] = token;
      if (token.kind == TokenKind::symbol && first == '(') ++depth;
    }
  }

  std::size_t size() const { return m_size; }
  std::string_view text(std::size_t i) const { return m_tokens[i].in(m_text); }
  bool is_word(std::size_t i) const { return i < m_size && m_tokens[i].kind == TokenKind::word; }
  bool is(std::size_t i, std::string_view keyword) const {
    return i < m_size && m_tokens[i].kind == TokenKind::word && is_keyword(m_tokens[i].in(m_text), keyword);
  }
  bool is_symbol(std::size_t i, char symbol) const {
    return i < m_size && m_tokens[i].kind == TokenKind::symbol && m_text[m_tokens[i].begin] == symbol;
  }
  bool starts(std::initializer_list<std::string_view> keywords) const {
    std::size_t i = 0;
    for (const std::string_view keyword : keywords) {
      if (!is(i++, keyword)) return false;
    }
    return true;
  }
  /// The place of these keywords in a row outside of parentheses, size() where they are not.
  std::size_t find(std::string_view first, std::string_view second) const {
    for (std::size_t i = 0; i + 1 < m_size; ++i) {
      if (m_depths[i] == 0 && is(i, first) && is(i + 1, second)) return i;
    }
    return m_size;
  }
  /// The token after a parenthesised list that begins at `i`.
  std::size_t after_list(std::size_t i) const {
    if (!is_symbol(i, '(')) return i;
    for (++i; i < m_size && !(is_symbol(i, ')') && m_depths[i] == 0); ++i) {
    }
    return i + 1;
  }

 private:
  std::string_view m_text;
  std::array<Token, 48> m_tokens;
  std::array<int, 48> m_depths{};
  std::size_t m_size = 0;
};

/// ROLLBACK [WORK | TRANSACTION] TO keeps the transaction; … PREPARED ends one that is not of this session.
bool ends_transaction(const Head& head) {
  if (head.starts({"prepare", "transaction"})) return true;
  if (head.is(0, "end") || head.is(0, "abort")) return true;
  if (!head.is(0, "commit") && !head.is(0, "rollback")) return false;
  const std::size_t after = head.is(1, "work") || head.is(1, "transaction") ? 2 : 1;
  return !head.is(after, "to") && !head.is(after, "prepared");
}

bool sets_transaction(const Head& head) {
  if (!head.is(0, "set")) return false;
  return head.is(1, "transaction") || head.starts({"set", "local", "transaction"}) ||
         head.starts({"set", "session", "transaction"}) ||
         head.starts({"set", "session", "characteristics", "as", "transaction"});
}

/// An option of REINDEX (…) that is on: named alone, or with a value that does not mean off.
bool list_has_concurrently(const Head& head, std::size_t list) {
  for (std::size_t i = list; i < head.after_list(list); ++i) {
    if (!head.is(i, "concurrently")) continue;
    return !(head.is(i + 1, "false") || head.is(i + 1, "off"));
  }
  return false;
}

/// REINDEX DATABASE, SCHEMA and SYSTEM commit after each table; CONCURRENTLY commits between its phases.
bool reindex_outside_transaction(const Head& head) {
  const std::size_t what = head.after_list(1);
  return head.is(what, "database") || head.is(what, "schema") || head.is(what, "system") ||
         head.is(what + 1, "concurrently") || list_has_concurrently(head, 1);
}

/// CLUSTER with no table works through all of them, each in its own transaction.
bool clusters_everything(const Head& head) {
  if (!head.is(0, "cluster")) return false;
  const std::size_t after = head.is(1, "verbose") ? 2 : head.after_list(1);
  return after >= head.size();
}

bool detaches_concurrently(const Head& head) {
  const std::size_t detach = head.find("detach", "partition");
  for (std::size_t i = detach; i < head.size(); ++i) {
    if (head.is(i, "concurrently")) return true;
  }
  return false;
}

bool creates_or_drops_outside_transaction(const Head& head) {
  if (!head.is(0, "create") && !head.is(0, "drop")) return false;
  const std::size_t what = head.is(1, "unique") ? 2 : 1;
  if (head.is(what, "index")) return head.is(what + 1, "concurrently");
  return head.is(1, "database") || head.is(1, "tablespace") || head.is(1, "subscription");
}

bool alters_outside_transaction(const Head& head) {
  if (!head.is(0, "alter")) return false;
  if (head.is(1, "system")) return true;
  if (head.is(1, "database")) return head.find("set", "tablespace") < head.size();
  if (head.is(1, "subscription")) return head.find("refresh", "publication") < head.size();
  return head.is(1, "table") && detaches_concurrently(head);
}

/// What calls PreventInTransactionBlock in PostgreSQL 13 to 18, as far as words tell. REFRESH MATERIALIZED
/// VIEW CONCURRENTLY does not.
bool runs_outside_transaction(const Head& head) {
  if (head.is(0, "vacuum") || head.starts({"discard", "all"})) return true;
  if (head.starts({"commit", "prepared"}) || head.starts({"rollback", "prepared"})) return true;
  if (head.is(0, "reindex")) return reindex_outside_transaction(head);
  return clusters_everything(head) || creates_or_drops_outside_transaction(head) ||
         alters_outside_transaction(head);
}

bool copies_from_stdin(const Head& head) {
  return head.is(0, "copy") && head.find("from", "stdin") < head.size();
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return result;
}

}  // namespace

std::string headline(std::string_view statement) {
  // One word tells enough of these; of the others the second says what it is about.
  static constexpr std::array<std::string_view, 7> k_one_word = {"vacuum",   "cluster", "begin", "commit",
                                                                 "rollback", "end",     "abort"};
  const Head head(statement);
  std::size_t words = 0;
  while (head.is_word(words) && !head.is(words, "concurrently")) ++words;
  std::size_t concurrently = words;
  while (concurrently < head.size() && !head.is(concurrently, "concurrently")) ++concurrently;
  const bool found = concurrently < head.size();
  const bool in_a_row = found && concurrently == words && !head.is(0, "alter");
  const bool one =
      std::any_of(k_one_word.begin(), k_one_word.end(), [&](auto word) { return head.is(0, word); });
  const std::size_t shown = in_a_row ? words + 1 : std::min<std::size_t>(words, one ? 1 : 2);
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) text += (i > 0 ? " " : "") + upper(head.text(i));
  return found && !in_a_row ? text + " … CONCURRENTLY" : text;
}

namespace {

/// BEGIN, COMMIT, END, ROLLBACK (not ROLLBACK TO) and VACUUM: https://www.sqlite.org/lang_transaction.html
StatementKind kind_in_sqlite(std::string_view statement) {
  Lexer lexer(statement, 0, Dialect::sqlite);
  const std::string_view first = lexer.next_code().in(statement);
  if (is_keyword(first, "begin")) return StatementKind::begin;
  if (is_keyword(first, "commit") || is_keyword(first, "end")) return StatementKind::end;
  if (is_keyword(first, "vacuum")) return StatementKind::no_transaction;
  if (!is_keyword(first, "rollback")) return StatementKind::ordinary;
  std::string_view next = lexer.next_code().in(statement);
  if (is_keyword(next, "transaction")) next = lexer.next_code().in(statement);
  return is_keyword(next, "to") ? StatementKind::ordinary : StatementKind::end;
}

}  // namespace

StatementKind kind_of(std::string_view statement, Dialect dialect) {
  if (dialect == Dialect::sqlite) return kind_in_sqlite(statement);
  static constexpr std::array<std::string_view, 16> k_telling = {
      "begin",  "start",   "end",     "abort",   "commit", "rollback", "prepare", "set",
      "vacuum", "discard", "reindex", "cluster", "create", "drop",     "alter",   "copy"};
  const std::string_view first = Lexer(statement).next_code().in(statement);
  if (std::none_of(k_telling.begin(), k_telling.end(), [&](auto word) { return is_keyword(first, word); })) {
    return StatementKind::ordinary;
  }
  const Head head(statement);
  if (head.is(0, "begin") || head.starts({"start", "transaction"})) return StatementKind::begin;
  if (ends_transaction(head)) return StatementKind::end;
  if (sets_transaction(head)) return StatementKind::set_transaction;
  if (runs_outside_transaction(head)) return StatementKind::no_transaction;
  if (copies_from_stdin(head)) return StatementKind::copy_from_stdin;
  return StatementKind::ordinary;
}

}  // namespace lockkeeper::sql
