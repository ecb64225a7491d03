#include "sql/source.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"

namespace lockkeeper::sql {

namespace {

constexpr std::size_t k_block_bytes = 4096;
constexpr std::string_view k_byte_order_mark = "\xEF\xBB\xBF";

/// Characters begin with every byte that is not a continuation byte of UTF-8.
int characters(std::string_view text) {
  return static_cast<int>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

int line_ends(std::string_view text) {
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

/// The place of a byte in text that may be broken from there on.
Location place(const std::string& path, std::string_view text, std::size_t at, int first_line) {
  const std::string_view before = text.substr(0, at);
  const std::size_t newline = before.rfind('\n');
  const std::string_view line = newline == std::string_view::npos ? before : before.substr(newline + 1);
  return {path, first_line + line_ends(before), 1 + characters(line)};
}

std::string encoding_hint(std::string_view text) {
  const std::string_view mark = text.substr(0, 2);
  const bool utf16 = mark == "\xFF\xFE" || mark == "\xFE\xFF";
  return fmt::format("save the file as UTF-8, for example with: iconv -f {} -t UTF-8 OLD > NEW",
                     utf16 ? "UTF-16" : "WINDOWS-1252");
}

}  // namespace

Source::Source(std::string path, std::string text, int first_line, Dialect dialect)
    : m_path(std::move(path)), m_text(std::move(text)), m_first_line(first_line), m_dialect(dialect) {
  m_lines_before_block.reserve(m_text.size() / k_block_bytes + 1);
  std::uint32_t lines = 0;
  for (std::size_t block = 0; block <= m_text.size(); block += k_block_bytes) {
    m_lines_before_block.push_back(lines);
    lines += static_cast<std::uint32_t>(line_ends(std::string_view(m_text).substr(block, k_block_bytes)));
  }
}

Result<Source> Source::read(const std::string& path, Dialect dialect) {
  if (const auto regular = expect_no_pipe(path); !regular) return failed(regular);
  Result<std::string> content = read_file(path);
  if (!content) return failed(content);
  return from_text(path, std::move(*content), 1, dialect);
}

Result<Source> Source::from_text(std::string name, std::string text, int first_line, Dialect dialect) {
  std::size_t dropped = 0;
  if (text.starts_with(k_byte_order_mark)) {
    dropped = k_byte_order_mark.size();
    text.erase(0, dropped);
  }
  const std::size_t nul = text.find('\0');
  if (const auto invalid = first_invalid_utf8(text); invalid && *invalid < nul) {
    return failed(FailureKind::usage,
                  fmt::format("cannot read '{}': not UTF-8 at byte {}", name, *invalid + dropped + 1),
                  encoding_hint(text), place(name, text, *invalid, first_line));
  }
  if (nul != std::string::npos) {
    return failed(
        FailureKind::usage, fmt::format("cannot read '{}': NUL at byte {}", name, nul + dropped + 1),
        fmt::format("SQL text cannot hold NUL: write the file as UTF-8 text, and binary values as {}",
                    dialect == Dialect::postgres ? "'\\x…'::bytea" : "x'…'"),
        place(name, text, nul, first_line));
  }
  return Source(std::move(name), std::move(text), first_line, dialect);
}

Source Source::edited(std::shared_ptr<const Source> original, std::size_t begin, std::size_t end,
                      const std::vector<Edit>& edits) {
  const std::string_view whole = original->text();
  std::string text;
  std::vector<Stretch> stretches;
  std::size_t at = begin;
  for (const Edit& edit : edits) {
    stretches.push_back({text.size(), at, false});
    text += whole.substr(at, edit.begin - at);
    stretches.push_back({text.size(), edit.begin, true});
    text += edit.text;
    at = edit.end;
  }
  stretches.push_back({text.size(), at, false});
  text += whole.substr(at, end - at);
  Source source(original->m_path, std::move(text), 1, original->m_dialect);
  source.m_original = std::move(original);
  source.m_stretches = std::move(stretches);
  return source;
}

Location Source::locate(std::size_t offset) const {
  if (m_original) {
    const auto after = std::ranges::upper_bound(m_stretches, offset, {}, &Stretch::at);
    const Stretch& stretch = *std::prev(after);
    return m_original->locate(stretch.put_in ? stretch.original : stretch.original + (offset - stretch.at));
  }
  const std::string_view all = m_text;
  const std::size_t at = std::min(offset, all.size());
  const std::size_t block = at / k_block_bytes;
  const std::size_t block_begin = block * k_block_bytes;
  const int line =
      static_cast<int>(m_lines_before_block[block]) + line_ends(all.substr(block_begin, at - block_begin));
  const std::size_t newline = at == 0 ? std::string_view::npos : all.rfind('\n', at - 1);
  const std::size_t line_begin = newline == std::string_view::npos ? 0 : newline + 1;
  return {m_path, m_first_line + line, 1 + characters(all.substr(line_begin, at - line_begin))};
}

}  // namespace lockkeeper::sql
