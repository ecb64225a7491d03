#include <fmt/format.h>

#include "base/text.h"
#include "sql/lexer.h"
#include "sql/statement.h"

namespace lockkeeper::sql {

namespace {

constexpr std::string_view k_mark = "lockkeeper:";
constexpr const char* k_form = "write: -- lockkeeper: allow <rule>: <reason> [until YYYY-MM-DD]";

/// A comment's text without its own marks.
std::string body_of(std::string_view comment) {
  if (comment.starts_with("/*")) {
    comment.remove_prefix(2);
    if (comment.ends_with("*/")) comment.remove_suffix(2);
  } else {
    comment.remove_prefix(comment.find_first_not_of('-') == std::string_view::npos
                              ? comment.size()
                              : comment.find_first_not_of('-'));
  }
  return trimmed(comment);
}

tl::unexpected<Failure> malformed(std::string_view body, std::string_view cause, const Location& location) {
  return failed(FailureKind::usage, fmt::format("comment '{}': {}", abridged(body), cause), k_form, location);
}

/// Cuts a trailing "until <date>" off the reason. Without a digit behind it, "until" is prose.
std::string take_until(std::string& reason) {
  const std::size_t at = lower(reason).rfind("until ");
  if (at == std::string::npos || (at > 0 && reason[at - 1] != ' ' && reason[at - 1] != '\t')) return {};
  const std::string date = trimmed(std::string_view(reason).substr(at + 6));
  if (date.empty() || date[0] < '0' || date[0] > '9') return {};
  reason = trimmed(std::string_view(reason).substr(0, at));
  return date;
}

Result<AllowComment> parse(const std::string& body, Location location) {
  const std::string said = trimmed(std::string_view(body).substr(k_mark.size()));
  const std::size_t word_end = std::min(said.find_first_of(" \t\r\n:"), said.size());
  const std::string word = said.substr(0, word_end);
  if (word != "allow") {
    return malformed(body, fmt::format("unknown word '{}'{}", word, did_you_mean(word, {"allow"})), location);
  }
  const std::string rest = trimmed(std::string_view(said).substr(word_end));
  const std::size_t colon = rest.find(':');
  AllowComment allow;
  allow.rule = trimmed(std::string_view(rest).substr(0, colon));
  if (allow.rule.empty()) return malformed(body, "it names no rule", location);
  if (allow.rule.find_first_of(" \t\r\n") != std::string::npos) {
    return malformed(body, "there is no ':' behind the rule", location);
  }
  allow.reason = colon == std::string::npos ? "" : trimmed(std::string_view(rest).substr(colon + 1));
  allow.until = take_until(allow.reason);
  if (allow.reason.empty()) return malformed(body, "it gives no reason", location);
  if (!allow.until.empty() && !is_date(allow.until)) {
    return malformed(body, fmt::format("'{}' is no date", allow.until), location);
  }
  allow.location = std::move(location);
  return allow;
}

/// Where the rows of a COPY FROM STDIN end, for a lexer that stands before them: their quotes are no SQL.
std::size_t past_copied_rows(std::string_view text, std::size_t at, const std::vector<Statement>& copies) {
  for (const Statement& copy : copies) {
    if (copy.copy_data.empty()) continue;
    const auto begin = static_cast<std::size_t>(copy.copy_data.data() - text.data());
    if (at >= begin && at < begin + copy.copy_data.size()) {
      const std::size_t line_end = text.find('\n', begin + copy.copy_data.size());
      return line_end == std::string_view::npos ? text.size() : line_end;
    }
  }
  return at;
}

std::vector<Statement> copies_of(const Source& source) {
  Result<std::vector<Statement>> statements = split_statements(source);
  if (!statements) return {};
  std::erase_if(*statements, [](const Statement& one) { return one.kind != StatementKind::copy_from_stdin; });
  return std::move(*statements);
}

}  // namespace

Result<std::vector<AllowComment>> allow_comments(const Source& source) {
  const std::string_view text = source.text();
  std::vector<AllowComment> allows;
  if (text.find(k_mark) == std::string_view::npos) return allows;
  const std::vector<Statement> copies = copies_of(source);
  Lexer lexer(text, 0, source.dialect());
  for (Token token = lexer.next(); token.kind != TokenKind::end_of_text; token = lexer.next()) {
    if (const std::size_t past = past_copied_rows(text, token.begin, copies); past != token.begin) {
      lexer = Lexer(text, past, source.dialect());
      continue;
    }
    if (token.kind != TokenKind::comment) continue;
    const std::string body = body_of(token.in(text));
    if (!body.starts_with(k_mark)) continue;
    Result<AllowComment> allow = parse(body, source.locate(token.begin));
    if (!allow) return failed(allow);
    allows.push_back(std::move(*allow));
  }
  return allows;
}

}  // namespace lockkeeper::sql
