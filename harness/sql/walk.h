#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "sql/lexer.h"
#include "sql/source.h"

/// What every reader of SQL text needs beside its tokens.
namespace lockkeeper::sql {

/// Follows offsets that only grow, so that a line of a million statements is not counted a million times.
class Places {
 public:
  Places(const Source& source, std::size_t begin)
      : m_source(source), m_location(source.locate(begin)), m_offset(begin) {}

  Location at(std::size_t offset) {
    if (m_source.is_edited()) return m_source.locate(offset);
    const std::string_view text = m_source.text();
    for (; m_offset < offset; ++m_offset) {
      const auto byte = static_cast<unsigned char>(text[m_offset]);
      if (byte == '\n') {
        ++m_location.line;
        m_location.column = 1;
      } else if ((byte & 0xC0) != 0x80) {
        ++m_location.column;
      }
    }
    return m_location;
  }

 private:
  const Source& m_source;
  Location m_location;
  std::size_t m_offset;
};

/// Counts BEGIN ATOMIC … END of CREATE FUNCTION and CREATE PROCEDURE (PostgreSQL 14), whose semicolons end no
/// statement. CASE ends with END too. psql follows the same words (src/fe_utils/psqlscan.l).
class RoutineBody {
 public:
  void see(std::string_view word, int parentheses) {
    if (m_words < 4) look_at_head(word);
    ++m_words;
    if (!m_routine || parentheses != 0) return;
    if (m_depth == 0) {
      if (is_keyword(word, "atomic") && m_begin_before) m_depth = 1;
      m_begin_before = is_keyword(word, "begin");
    } else if (is_keyword(word, "case")) {
      ++m_depth;
    } else if (is_keyword(word, "end")) {
      --m_depth;
    }
  }
  bool open() const { return m_depth > 0; }

 private:
  /// CREATE [OR REPLACE] FUNCTION | PROCEDURE
  void look_at_head(std::string_view word) {
    if (m_words == 0) m_create = is_keyword(word, "create");
    if (m_words == 2) m_replace = is_keyword(word, "replace");
    if (!m_create || !(m_words == 1 || (m_words == 3 && m_replace))) return;
    m_routine = is_keyword(word, "function") || is_keyword(word, "procedure");
  }

  int m_words = 0;
  int m_depth = 0;
  bool m_create = false;
  bool m_replace = false;
  bool m_routine = false;
  bool m_begin_before = false;
};

/// Follows CREATE TRIGGER of SQLite, whose body holds semicolons and ends with "; END ;". The shell follows
/// the same words (src/complete.c).
class TriggerBody {
 public:
  /// Every token of code, in order.
  void see(const Token& token, std::string_view text) {
    const std::string_view word = token.in(text);
    if (token.kind == TokenKind::word) see_head(word);
    const bool end = token.kind == TokenKind::word && is_keyword(word, "end") && m_semicolon_before;
    m_semicolon_before = token.kind == TokenKind::symbol && word == ";";
    m_ended = end;
  }
  /// Would a semicolon here belong to the body?
  bool open() const { return m_trigger && !m_ended; }

 private:
  /// [EXPLAIN [QUERY PLAN]] CREATE [TEMP | TEMPORARY] TRIGGER
  void see_head(std::string_view word) {
    if (m_head_done) return;
    if (is_keyword(word, "create")) {
      m_create = true;
    } else if (m_create && is_keyword(word, "trigger")) {
      m_trigger = true;
      m_head_done = true;
    } else if (m_create ? !(is_keyword(word, "temp") || is_keyword(word, "temporary"))
                        : !(is_keyword(word, "explain") || is_keyword(word, "query") ||
                            is_keyword(word, "plan"))) {
      m_head_done = true;
    }
  }

  bool m_create = false;
  bool m_trigger = false;
  bool m_head_done = false;
  bool m_semicolon_before = false;
  bool m_ended = false;
};

/// The rows after COPY … FROM STDIN: from the next line to the line `\.`; `next` is where SQL goes on.
struct CopyData {
  std::string_view rows;
  std::size_t next = 0;
};

inline CopyData copy_data_after(std::string_view text, std::size_t semicolon) {
  const std::size_t newline = text.find('\n', semicolon);
  if (newline == std::string_view::npos) return {{}, text.size()};
  const std::size_t begin = newline + 1;
  for (std::size_t line = begin; line < text.size();) {
    const std::size_t line_end = std::min(text.find('\n', line), text.size());
    std::string_view content = text.substr(line, line_end - line);
    if (content.ends_with('\r')) content.remove_suffix(1);
    if (content == "\\.") return {text.substr(begin, line - begin), line_end};
    line = line_end + 1;
  }
  return {text.substr(begin), text.size()};
}

}  // namespace lockkeeper::sql
