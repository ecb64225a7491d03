#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/query_session.h"

namespace lockkeeper::engine {

/// Of an answer so much is kept that a person can be shown where two differ; the rest is hashed alone.
inline constexpr std::size_t k_rows_kept = 10'000;
inline constexpr std::size_t k_bytes_kept = 16U << 20;

/// Takes an answer's rows one after another: counts, hashes and keeps them, the same for every engine. The
/// answer must outlive it.
class AnswerKeeper {
 public:
  explicit AnswerKeeper(QueryAnswer& answer) : m_answer(answer) {}

  /// One row; a value that is nullptr is NULL, and its length is not looked at. `types`: QueryAnswer::types.
  void add(std::span<const char* const> values, std::span<const std::size_t> lengths,
           std::string_view types = {});

 private:
  bool is_floating(std::size_t column, std::string_view types) const;
  void keep(std::span<const char* const> values, std::span<const std::size_t> lengths,
            std::string_view types);

  QueryAnswer& m_answer;
  std::size_t m_bytes_kept = 0;
  std::vector<std::uint64_t> m_fields;  ///< of one row: each value's length and hash
  std::vector<std::uint64_t> m_nearly;  ///< the same with floating-point values to six digits
};

}  // namespace lockkeeper::engine
