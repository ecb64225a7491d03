#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace lockkeeper {

/// A running SHA-256 (FIPS 180-4), for checksums that other tools have written. A copy goes on by itself.
class Sha256 {
 public:
  Sha256& add(std::string_view bytes);
  std::string digest() const;  ///< of all so far, 32 bytes
  std::string hex() const;     ///< the same as 64 lower-case hexadecimal digits

 private:
  void take_block(const unsigned char* block);

  std::array<std::uint32_t, 8> m_state{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> m_buffer{};
  std::uint64_t m_bytes = 0;
};

/// RFC 4648, with padding.
std::string base64(std::string_view bytes);

}  // namespace lockkeeper
