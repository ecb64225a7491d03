#pragma once

#include <cstddef>
#include <string_view>

#include "sql/dialect.h"

namespace lockkeeper::sql {

enum class TokenKind {
  word,     ///< unquoted identifier or keyword
  quoted,   ///< "quoted identifier"
  literal,  ///< string of any form, dollar quote, number
  comment,  ///< -- or /* */
  symbol,   ///< one character of anything else
  end_of_text
};

struct Token {
  TokenKind kind = TokenKind::end_of_text;
  std::size_t begin = 0;
  std::size_t end = 0;
  bool closed = true;  ///< false for a block comment that reaches to the end of the text

  std::string_view in(std::string_view text) const { return text.substr(begin, end - begin); }
};

/// Reads SQL token by token by the lexical rules of PostgreSQL (src/backend/parser/scan.l) or SQLite
/// (src/tokenize.c) as far as they decide what is quoted and what is not. Unlike the server's scanner it
/// refuses nothing, needs no memory and knows no version: what is not closed ends with the text.
/// standard_conforming_strings is taken to be on.
class Lexer {
 public:
  explicit Lexer(std::string_view text, std::size_t at = 0, Dialect dialect = Dialect::postgres)
      : m_text(text), m_at(at), m_dialect(dialect) {}

  Token next();
  /// The next token that is no comment; a comment that is never closed counts, since the server will refuse
  /// it.
  Token next_code();

 private:
  Token token(TokenKind kind, std::size_t begin) const { return {kind, begin, m_at, true}; }
  char peek(std::size_t ahead = 0) const;
  void skip_space();
  void skip_line_comment();
  bool skip_block_comment();  ///< was it closed?
  void skip_quoted(char quote);
  void skip_escape_string();
  bool skip_to_continuation();
  bool skip_dollar_quote();
  Token next_postgres(char first);
  Token next_sqlite(char first);
  Token word_or_number(char first);

  std::string_view m_text;
  std::size_t m_at;
  Dialect m_dialect;
};

/// Case-insensitive comparison of a token's text with a lower-case keyword.
bool is_keyword(std::string_view text, std::string_view keyword);

}  // namespace lockkeeper::sql
