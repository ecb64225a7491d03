#pragma once

#include <stdexcept>
#include <utility>

#include "base/result.h"

/// For tests: what is no part of them must work.
namespace lockkeeper::engine::sqlite {

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(to_string(result.error()));
  return std::move(*result);
}

inline void must(const Result<void>& result) {
  if (!result) throw std::runtime_error(to_string(result.error()));
}

}  // namespace lockkeeper::engine::sqlite
