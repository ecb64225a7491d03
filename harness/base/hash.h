#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lockkeeper {

/// A running 128-bit XXH3 hash: fast and well mixed, not a defence against somebody who forges collisions.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  Hasher& add(std::string_view bytes);
  /// Adds the length first, so that {"ab","c"} and {"a","bc"} differ.
  Hasher& add_field(std::string_view field);
  std::string hex() const;  ///< 32 lower-case hexadecimal digits

 private:
  struct State;
  std::unique_ptr<State> m_state;
};

std::string hash_hex(std::string_view bytes);

/// Of a file's content, read in pieces, however large it is; a usage failure where it cannot be read.
Result<std::string> hash_of_file(const std::filesystem::path& path);

}  // namespace lockkeeper
