#include "base/sha1.h"

#include <array>
#include <bit>
#include <cstdint>

#include <fmt/format.h>

namespace lockkeeper {

namespace {

using Digest = std::array<std::uint32_t, 5>;
constexpr std::size_t k_block_bytes = 64;

/// Big-endian, from the first of four bytes.
std::uint32_t word_at(std::string_view block, std::size_t at) {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < 4; ++i) word = word << 8U | static_cast<unsigned char>(block[at + i]);
  return word;
}

void mix(Digest& digest, std::string_view block) {
  std::array<std::uint32_t, 80> words{};
  for (std::size_t i = 0; i < 16; ++i) words[i] = word_at(block, i * 4);
  for (std::size_t i = 16; i < words.size(); ++i)
    words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  auto [a, b, c, d, e] = digest;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::uint32_t chosen = b ^ c ^ d;
    std::uint32_t constant = i < 40 ? 0x6ED9EBA1U : 0xCA62C1D6U;
    if (i < 20) {
      chosen = (b & c) | (~b & d);
      constant = 0x5A827999U;
    } else if (i >= 40 && i < 60) {
      chosen = (b & c) | (b & d) | (c & d);
      constant = 0x8F1BBCDCU;
    }
    const std::uint32_t next = std::rotl(a, 5) + chosen + e + constant + words[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  const Digest mixed{a, b, c, d, e};
  for (std::size_t i = 0; i < digest.size(); ++i) digest[i] += mixed[i];
}

}  // namespace

std::string sha1_hex(std::string_view bytes) {
  Digest digest{0x67452301U, 0xEFCDAB89U, 0x98BADCFEU, 0x10325476U, 0xC3D2E1F0U};
  std::size_t at = 0;
  for (; bytes.size() - at >= k_block_bytes; at += k_block_bytes)
    mix(digest, bytes.substr(at, k_block_bytes));
  std::string last(bytes.substr(at));
  last += '\x80';
  while (last.size() % k_block_bytes != k_block_bytes - 8) last += '\0';
  const std::uint64_t bits = static_cast<std::uint64_t>(bytes.size()) * 8;
  for (int shift = 56; shift >= 0; shift -= 8)
    last += static_cast<char>(bits >> static_cast<unsigned>(shift) & 0xFFU);
  for (at = 0; at < last.size(); at += k_block_bytes)
    mix(digest, std::string_view(last).substr(at, k_block_bytes));
  std::string hex;
  for (const std::uint32_t word : digest) hex += fmt::format("{:08x}", word);
  return hex;
}

}  // namespace lockkeeper
