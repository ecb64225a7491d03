#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <string_view>

#include <pg_query.h>

namespace lockkeeper::sql {

/// Where PostgreSQL's own scanner (libpg_query) ends statements. The text is given to it piece by piece,
/// since it keeps every token in memory until it is done: 50 MB in one go cost it 300 MB.
class ScannerCuts {
 public:
  explicit ScannerCuts(std::string_view text) : m_text(text) {}

  /// Where the statement that begins at `at` ends: at its semicolon, or the end of the text. Nothing where
  /// the scanner cannot tell: a token that its version refuses, a statement longer than a piece, one without
  /// any keyword (libpg_query drops those).
  std::optional<std::size_t> end_of(std::size_t at);
  /// What was scanned ahead is not SQL (rows of COPY): it says nothing about what follows.
  void forget();

 private:
  struct Cut {
    std::size_t begin;
    std::size_t end;
  };

  std::optional<std::size_t> known_end_of(std::size_t at);
  void scan(std::size_t begin);
  void keep(const PgQuerySplitResult& result, std::string_view piece, bool complete);

  std::string_view m_text;
  std::size_t m_scanned_from = 0;
  std::size_t m_leave_until = 0;  ///< up to here the scanner is not asked
  std::size_t m_piece_bytes = 65536;
  std::deque<Cut> m_cuts;
};

}  // namespace lockkeeper::sql
