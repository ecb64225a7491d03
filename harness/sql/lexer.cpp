#include "sql/lexer.h"

#include <algorithm>

namespace lockkeeper::sql {

namespace {

bool is_newline(char c) {
  return c == '\n' || c == '\r';
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || is_newline(c) || c == '\f' || c == '\v';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
char lowered(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
/// scan.l's ident_start: letters, the underscore and every byte of a multi-byte character.
bool starts_word(char c) {
  return (lowered(c) >= 'a' && lowered(c) <= 'z') || c == '_' || (static_cast<unsigned char>(c) & 0x80) != 0;
}
bool continues_tag(char c) {
  return starts_word(c) || is_digit(c);
}
bool continues_word(char c) {
  return continues_tag(c) || c == '$';
}

}  // namespace

char Lexer::peek(std::size_t ahead) const {
  return m_at + ahead < m_text.size() ? m_text[m_at + ahead] : '\0';
}

void Lexer::skip_space() {
  while (m_at < m_text.size() && is_space(m_text[m_at])) ++m_at;
}

/// A lone carriage return ends a comment too, as in scan.l.
void Lexer::skip_line_comment() {
  while (m_at < m_text.size() && !is_newline(m_text[m_at])) ++m_at;
}

/// Block comments nest in PostgreSQL.
bool Lexer::skip_block_comment() {
  m_at += 2;
  std::size_t depth = 1;
  while (depth > 0 && m_at < m_text.size()) {
    if (peek() == '/' && peek(1) == '*') {
      ++depth;
      m_at += 2;
    } else if (peek() == '*' && peek(1) == '/') {
      --depth;
      m_at += 2;
    } else {
      ++m_at;
    }
  }
  return depth == 0;
}

void Lexer::skip_quoted(char quote) {
  do {
    const std::size_t close = m_text.find(quote, m_at + 1);
    m_at = close == std::string_view::npos ? m_text.size() : close + 1;
  } while (peek() == quote);  // a doubled quote stands for one and goes on
}

void Lexer::skip_escape_string() {
  do {
    ++m_at;
    while (m_at < m_text.size() && peek() != '\'') m_at += peek() == '\\' && m_at + 1 < m_text.size() ? 2 : 1;
    if (m_at < m_text.size()) ++m_at;
  } while (skip_to_continuation());
}

/// A string goes on, with its own kind of escapes, in a next one that touches it or that follows on a later
/// line.
bool Lexer::skip_to_continuation() {
  if (peek() == '\'') return true;
  const std::size_t start = m_at;
  bool line_ended = false;
  while (m_at < m_text.size()) {
    if (is_space(peek())) {
      line_ended = line_ended || is_newline(peek());
      ++m_at;
    } else if (peek() == '-' && peek(1) == '-') {
      skip_line_comment();
    } else {
      break;
    }
  }
  if (line_ended && peek() == '\'') return true;
  m_at = start;
  return false;
}

bool Lexer::skip_dollar_quote() {
  std::size_t tag_end = m_at + 1;
  if (tag_end < m_text.size() && starts_word(m_text[tag_end])) {
    while (tag_end < m_text.size() && continues_tag(m_text[tag_end])) ++tag_end;
  }
  if (tag_end >= m_text.size() || m_text[tag_end] != '$') return false;
  const std::string_view delimiter = m_text.substr(m_at, tag_end + 1 - m_at);
  const std::size_t close = m_text.find(delimiter, tag_end + 1);
  m_at = close == std::string_view::npos ? m_text.size() : close + delimiter.size();
  return true;
}

Token Lexer::next() {
  skip_space();
  const std::size_t begin = m_at;
  if (begin >= m_text.size()) return token(TokenKind::end_of_text, begin);
  const char first = m_text[begin];
  return m_dialect == Dialect::sqlite ? next_sqlite(first) : next_postgres(first);
}

/// Comments do not nest, end at a newline alone, and may stay open at the end; names have three kinds of
/// quotes, and those in brackets no way to hold a closing one.
Token Lexer::next_sqlite(char first) {
  const std::size_t begin = m_at;
  if (first == '-' && peek(1) == '-') {
    m_at = std::min(m_text.find('\n', m_at), m_text.size());
    return token(TokenKind::comment, begin);
  }
  if (first == '/' && peek(1) == '*') {
    const std::size_t close = m_text.find("*/", m_at + 2);
    m_at = close == std::string_view::npos ? m_text.size() : close + 2;
    return token(TokenKind::comment, begin);
  }
  if (first == '\'' || first == '"' || first == '`') {
    skip_quoted(first);
    return token(first == '\'' ? TokenKind::literal : TokenKind::quoted, begin);
  }
  if (first == '[') {
    const std::size_t close = m_text.find(']', m_at);
    m_at = close == std::string_view::npos ? m_text.size() : close + 1;
    return token(TokenKind::quoted, begin);
  }
  return word_or_number(first);
}

Token Lexer::next_postgres(char c) {
  const std::size_t begin = m_at;
  if (c == '-' && peek(1) == '-') {
    skip_line_comment();
    return token(TokenKind::comment, begin);
  }
  if (c == '/' && peek(1) == '*') {
    const bool closed = skip_block_comment();
    return {TokenKind::comment, begin, m_at, closed};
  }
  if (c == '\'' || c == '"') {
    skip_quoted(c);
    return token(c == '"' ? TokenKind::quoted : TokenKind::literal, begin);
  }
  if (lowered(c) == 'e' && peek(1) == '\'') {
    ++m_at;
    skip_escape_string();
    return token(TokenKind::literal, begin);
  }
  if (c == '$' && skip_dollar_quote()) return token(TokenKind::literal, begin);
  return word_or_number(c);
}

Token Lexer::word_or_number(char first) {
  const std::size_t begin = m_at;
  if (starts_word(first)) {
    while (m_at < m_text.size() && continues_word(m_text[m_at])) ++m_at;
    return token(TokenKind::word, begin);
  }
  if (is_digit(first)) {
    while (m_at < m_text.size() && is_digit(m_text[m_at])) ++m_at;
    return token(TokenKind::literal, begin);
  }
  ++m_at;
  return token(TokenKind::symbol, begin);
}

Token Lexer::next_code() {
  Token found = next();
  while (found.kind == TokenKind::comment && found.closed) found = next();
  return found;
}

bool is_keyword(std::string_view text, std::string_view keyword) {
  if (text.size() != keyword.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (lowered(text[i]) != keyword[i]) return false;
  }
  return true;
}

}  // namespace lockkeeper::sql
