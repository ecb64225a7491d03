#include "engine/answer_hash.h"

#include <array>
#include <cstdlib>
#include <limits>
#include <string>

#include <fmt/format.h>
#include <xxhash.h>

namespace lockkeeper::engine {

namespace {

/// In the place of a length: no value is so long.
constexpr std::uint64_t k_null = std::numeric_limits<std::uint64_t>::max();

}  // namespace

bool AnswerKeeper::is_floating(std::size_t column, std::string_view types) const {
  if (!types.empty()) return types[column] == 'f';
  return column < m_answer.columns.size() && m_answer.columns[column].floating;
}

void AnswerKeeper::add(std::span<const char* const> values, std::span<const std::size_t> lengths,
                       std::string_view types) {
  // Lengths are hashed too, so that ('ab', 'c') is not ('a', 'bc').
  m_fields.clear();
  m_nearly.clear();
  const auto put = [](std::vector<std::uint64_t>& fields, std::uint64_t length, std::uint64_t hash) {
    fields.push_back(length);
    fields.push_back(hash);
  };
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t seed = types.empty() ? 0 : static_cast<unsigned char>(types[i]);
    const std::uint64_t length = values[i] == nullptr ? k_null : lengths[i];
    const std::uint64_t hash = values[i] == nullptr ? 0 : XXH3_64bits_withSeed(values[i], lengths[i], seed);
    put(m_fields, length, hash);
    if (values[i] == nullptr || !is_floating(i, types)) {
      put(m_nearly, length, hash);
    } else {
      const std::string rounded = fmt::format("{:.5e}", std::strtod(values[i], nullptr));
      put(m_nearly, rounded.size(), XXH3_64bits_withSeed(rounded.data(), rounded.size(), seed));
    }
  }
  const auto hash_of = [](const std::vector<std::uint64_t>& fields) {
    return XXH3_64bits(fields.data(), fields.size() * sizeof fields.front());
  };
  const auto chained = [](std::uint64_t before, std::uint64_t row) {
    const std::array<std::uint64_t, 2> link = {before, row};
    return XXH3_64bits(link.data(), sizeof link);
  };
  const std::uint64_t nearly = hash_of(m_nearly);
  m_answer.in_order = chained(m_answer.in_order, hash_of(m_fields));
  m_answer.nearly_in_order = chained(m_answer.nearly_in_order, nearly);
  // Added and not xored: a row that comes twice must not vanish.
  m_answer.as_a_set += nearly;
  ++m_answer.rows;
  keep(values, lengths, types);
}

/// The first rows without a gap: what comes behind one that had no room is not kept either.
void AnswerKeeper::keep(std::span<const char* const> values, std::span<const std::size_t> lengths,
                        std::string_view types) {
  if (!m_answer.whole) return;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < values.size(); ++i) bytes += values[i] == nullptr ? 0 : lengths[i];
  if (m_answer.kept.size() >= k_rows_kept || bytes > k_bytes_kept - m_bytes_kept) {
    m_answer.whole = false;
    return;
  }
  m_bytes_kept += bytes;
  if (!types.empty()) m_answer.types.emplace_back(types);
  QueryAnswer::Row& row = m_answer.kept.emplace_back();
  row.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == nullptr) {
      row.emplace_back();
    } else {
      row.emplace_back(std::in_place, values[i], lengths[i]);
    }
  }
}

}  // namespace lockkeeper::engine
