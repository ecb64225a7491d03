#include "sql/query_facts.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <pg_query.h>

#include "base/text.h"
#include "sql/lexer.h"
#include "sql/parse_tree.h"

namespace lockkeeper::sql {

namespace {

constexpr std::size_t k_longest_statement = 100'000;
/// libpg_query recurses to write a tree, a level for each operator of a chain; 45000 levels were seen to fit
/// into a stack of 8 MB, and builds with sanitizers need several times as much.
constexpr int k_most_operators = 5000;

/// Words that no table or column can be called without quotes (reserved in src/include/parser/kwlist.h).
constexpr std::array k_reserved = {"all",
                                   "analyse",
                                   "analyze",
                                   "and",
                                   "any",
                                   "array",
                                   "as",
                                   "asc",
                                   "asymmetric",
                                   "authorization",
                                   "binary",
                                   "both",
                                   "case",
                                   "cast",
                                   "check",
                                   "collate",
                                   "collation",
                                   "column",
                                   "concurrently",
                                   "constraint",
                                   "create",
                                   "cross",
                                   "current_catalog",
                                   "current_date",
                                   "current_role",
                                   "current_schema",
                                   "current_time",
                                   "current_timestamp",
                                   "current_user",
                                   "default",
                                   "deferrable",
                                   "desc",
                                   "distinct",
                                   "do",
                                   "else",
                                   "end",
                                   "except",
                                   "false",
                                   "fetch",
                                   "for",
                                   "foreign",
                                   "freeze",
                                   "from",
                                   "full",
                                   "grant",
                                   "group",
                                   "having",
                                   "ilike",
                                   "in",
                                   "initially",
                                   "inner",
                                   "intersect",
                                   "into",
                                   "is",
                                   "isnull",
                                   "join",
                                   "lateral",
                                   "leading",
                                   "left",
                                   "like",
                                   "limit",
                                   "localtime",
                                   "localtimestamp",
                                   "natural",
                                   "not",
                                   "notnull",
                                   "null",
                                   "offset",
                                   "on",
                                   "only",
                                   "or",
                                   "order",
                                   "outer",
                                   "overlaps",
                                   "placing",
                                   "primary",
                                   "references",
                                   "returning",
                                   "right",
                                   "select",
                                   "session_user",
                                   "similar",
                                   "some",
                                   "symmetric",
                                   "system_user",
                                   "table",
                                   "tablesample",
                                   "then",
                                   "to",
                                   "trailing",
                                   "true",
                                   "union",
                                   "unique",
                                   "user",
                                   "using",
                                   "variadic",
                                   "verbose",
                                   "when",
                                   "where",
                                   "window",
                                   "with"};

/// Without what stands before the first word and after the last.
std::string_view bare(std::string_view text) {
  Lexer lexer(text);
  const Token first = lexer.next_code();
  if (first.kind == TokenKind::end_of_text || first.kind == TokenKind::comment) return {};
  text.remove_prefix(first.begin);
  while (!text.empty() && (text.back() == ';' || text.back() == ' ' || text.back() == '\n' ||
                           text.back() == '\r' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

bool nests_deeply(std::string_view text) {
  Lexer lexer(text);
  int operators = 0;
  for (Token token = lexer.next_code(); token.kind != TokenKind::end_of_text; token = lexer.next_code()) {
    const std::string_view word = token.in(text);
    const bool chains =
        token.kind == TokenKind::symbol
            ? word.find_first_of(",().;") == std::string_view::npos
            : token.kind == TokenKind::word &&
                  (is_keyword(word, "union") || is_keyword(word, "not") || is_keyword(word, "join") ||
                   is_keyword(word, "except") || is_keyword(word, "intersect") || is_keyword(word, "case") ||
                   is_keyword(word, "select") || is_keyword(word, "is") || is_keyword(word, "collate") ||
                   is_keyword(word, "at"));
    if (chains && ++operators > k_most_operators) return true;
  }
  return false;
}

/// The tree as JSON; discarded where the text is not SQL.
nlohmann::json parsed(const std::string& text) {
  const PgQueryParseResult result = pg_query_parse(text.c_str());
  auto tree = result.error == nullptr ? nlohmann::json::parse(result.parse_tree, nullptr, false)
                                      : nlohmann::json(nlohmann::json::value_t::discarded);
  pg_query_free_parse_result(result);
  return tree;
}

std::string fingerprint_of(const std::string& text) {
  const PgQueryFingerprintResult result = pg_query_fingerprint(text.c_str());
  std::string print = result.fingerprint_str == nullptr ? "" : result.fingerprint_str;
  pg_query_free_fingerprint_result(result);
  return print;
}

}  // namespace

std::string quoted_name(std::string_view name) {
  const bool plain =
      !name.empty() && (name[0] < '0' || name[0] > '9') &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos &&
      std::find(k_reserved.begin(), k_reserved.end(), name) == k_reserved.end();
  if (plain) return std::string(name);
  std::string quoted = "\"";
  for (const char c : name) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

tl::expected<QueryFacts, std::string> query_facts(std::string_view written) {
  const std::string_view text = bare(written);
  if (text.empty()) return tl::unexpected(std::string("empty"));
  if (text.size() > k_longest_statement)
    return tl::unexpected(fmt::format("longer than {}", human_bytes(k_longest_statement)));
  if (nests_deeply(text)) return tl::unexpected(std::string("nested too deeply to be parsed"));
  QueryFacts facts;
  facts.text = text;
  const nlohmann::json tree = parsed(facts.text);
  if (tree.is_discarded() || !tree.contains("stmts"))
    return tl::unexpected(std::string("cut short, or no SQL that PostgreSQL 15 knows"));
  if (tree.at("stmts").size() != 1)
    return tl::unexpected(std::string(tree.at("stmts").empty() ? "empty" : "several in one message"));
  const nlohmann::json& statement = tree.at("stmts").at(0).at("stmt");
  read_parse_tree(statement, facts);
  facts.fingerprint = fingerprint_of(facts.text);
  facts.text = with_casts(statement, facts.text);
  return facts;
}

}  // namespace lockkeeper::sql
