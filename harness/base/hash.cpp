#include "base/hash.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <new>

#include <fmt/format.h>
#include <xxhash.h>

#include "base/file.h"

namespace lockkeeper {

struct Hasher::State {
  XXH3_state_t* xxh = XXH3_createState();
  State() {
    if (xxh == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(xxh);
  }
  ~State() { XXH3_freeState(xxh); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Hasher::Hasher() : m_state(std::make_unique<State>()) {}
Hasher::~Hasher() = default;

Hasher& Hasher::add(std::string_view bytes) {
  XXH3_128bits_update(m_state->xxh, bytes.data(), bytes.size());
  return *this;
}

Hasher& Hasher::add_field(std::string_view field) {
  const std::uint64_t size = field.size();
  XXH3_128bits_update(m_state->xxh, &size, sizeof size);
  return add(field);
}

std::string Hasher::hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(m_state->xxh);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string hash_hex(std::string_view bytes) {
  return Hasher().add(bytes).hex();
}

Result<std::string> hash_of_file(const std::filesystem::path& path) {
  if (const auto regular = expect_no_pipe(path); !regular) return failed(regular);
  const auto close = [](std::FILE* file) { std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rbe"), close);
  // On the stack, and not zeroed: a history is a thousand small files.
  std::array<char, 1 << 16> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init)
  Hasher hasher;
  std::size_t got = piece.size();
  while (file && got == piece.size()) {
    got = std::fread(piece.data(), 1, piece.size(), file.get());
    hasher.add({piece.data(), got});
  }
  if (!file || std::ferror(file.get()) != 0) {
    return cannot("read", path, errno, FailureKind::usage);
  }
  return hasher.hex();
}

}  // namespace lockkeeper
