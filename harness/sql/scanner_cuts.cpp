#include "sql/scanner_cuts.h"

#include <algorithm>
#include <memory>
#include <string>

#include <pg_query.h>

namespace lockkeeper::sql {

namespace {

constexpr std::size_t k_smallest_piece_bytes = 4096;
constexpr std::size_t k_largest_piece_bytes = 1048576;

/// Owns what libpg_query allocated.
class SplitResult {
 public:
  explicit SplitResult(const std::string& text) : m_result(pg_query_split_with_scanner(text.c_str())) {}
  ~SplitResult() { pg_query_free_split_result(m_result); }
  SplitResult(const SplitResult&) = delete;
  SplitResult& operator=(const SplitResult&) = delete;
  const PgQuerySplitResult& get() const { return m_result; }

 private:
  PgQuerySplitResult m_result;
};

/// The end of a piece, never inside a character.
std::size_t piece_end(std::string_view text, std::size_t end) {
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  return std::min(end, text.size());
}

/// How many bytes the first characters of a text take.
std::size_t bytes_of(std::string_view text, int characters) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
    if (begins && characters-- <= 0) break;
  }
  return at;
}

}  // namespace

std::optional<std::size_t> ScannerCuts::end_of(std::size_t at) {
  if (const auto end = known_end_of(at)) return end;
  if (at < m_leave_until) return std::nullopt;
  scan(at);
  if (const auto end = known_end_of(at)) {
    m_piece_bytes = std::min(m_piece_bytes * 2, k_largest_piece_bytes);
    return end;
  }
  // Where the scanner fails once it mostly fails again; asking it for each statement would take time that
  // grows with the square of a file's length.
  m_piece_bytes = k_smallest_piece_bytes;
  m_leave_until = at + m_piece_bytes;
  m_cuts.clear();
  return std::nullopt;
}

void ScannerCuts::forget() {
  m_cuts.clear();
  m_leave_until = 0;
}

std::optional<std::size_t> ScannerCuts::known_end_of(std::size_t at) {
  while (!m_cuts.empty() && m_cuts.front().end <= at) m_cuts.pop_front();
  if (m_cuts.empty() || m_cuts.front().begin > at) return std::nullopt;
  return m_cuts.front().end;
}

void ScannerCuts::scan(std::size_t begin) {
  m_cuts.clear();
  m_scanned_from = begin;
  const std::size_t end = piece_end(m_text, begin + m_piece_bytes);
  const std::string piece(m_text.substr(begin, end - begin));
  const SplitResult result(piece);
  if (result.get().error == nullptr) return keep(result.get(), piece, end == m_text.size());
  // After an error libpg_query counts statements but hands out none: what stands before the error is asked
  // for again.
  const std::string before = piece.substr(0, bytes_of(piece, result.get().error->cursorpos - 1));
  const SplitResult again(before);
  if (again.get().error == nullptr) keep(again.get(), before, false);
}

void ScannerCuts::keep(const PgQuerySplitResult& result, std::string_view piece, bool complete) {
  for (int i = 0; i < result.n_stmts; ++i) {
    const auto cut_begin = static_cast<std::size_t>(result.stmts[i]->stmt_location);
    const std::size_t cut_end = cut_begin + static_cast<std::size_t>(result.stmts[i]->stmt_len);
    const bool closed = cut_end < piece.size() ? piece[cut_end] == ';' : complete;
    if (closed) m_cuts.push_back({m_scanned_from + cut_begin, m_scanned_from + cut_end});
  }
}

}  // namespace lockkeeper::sql
