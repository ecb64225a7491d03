#include "sql/query_shape.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"
#include "sql/lexer.h"

namespace lockkeeper::sql {

namespace {

bool is_write(const std::string& word) {
  static constexpr std::array<std::string_view, 5> k_words = {"insert", "update", "delete", "merge",
                                                              "replace"};
  return std::ranges::find(k_words, word) != k_words.end();
}

bool begins_query(const std::string& word) {
  return is_write(word) || word == "select" || word == "values" || word == "table" || word == "with";
}

bool is_lock(const std::string& word) {
  return word == "update" || word == "share" || word == "no" || word == "key";
}

}  // namespace

/// A write stands at the beginning of the statement, behind the parenthesis that opens a WITH query, or
/// behind the last one of these; `replace(…)` is a function.
QueryShape shape_of(std::string_view query, Dialect dialect) {
  QueryShape shape;
  Lexer lexer(query, 0, dialect);
  int depth = 0;
  int lowest = 0;  // depth of what stands in parentheses as a whole
  std::string before;
  bool with = false;
  for (Token token = lexer.next_code(); token.kind != TokenKind::end_of_text; token = lexer.next_code()) {
    const std::string text = lower(std::string(token.in(query)));
    if (token.kind == TokenKind::word) {
      lowest = std::min(lowest, depth);
      if (before.empty() && text == "with") with = true;
      if (before.empty() || (!shape.is_query && before == "(" && depth == lowest))
        shape.is_query = begins_query(text);
      const bool begins = before.empty() || (with && (before == ")" || (before == "(" && text != "replace")));
      if (begins && is_write(text)) shape.writes = true;
      if (depth == lowest && before == "for" && is_lock(text)) shape.writes = true;
      if (depth == lowest && before == "order" && text == "by") shape.ordered = true;
      // What follows a set operation is another query: only the last ORDER BY orders the whole.
      if (depth == lowest && (text == "union" || text == "intersect" || text == "except"))
        shape.ordered = false;
    } else if (text == "(") {
      ++depth;
      if (before.empty() || (before == "(" && lowest == depth - 1)) lowest = depth;
    } else if (text == ")") {
      --depth;
    }
    before = text;
  }
  return shape;
}

}  // namespace lockkeeper::sql
