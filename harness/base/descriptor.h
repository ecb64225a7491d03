#pragma once

#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace lockkeeper {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int descriptor) : m_descriptor(descriptor) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : m_descriptor(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      close();
      m_descriptor = other.release();
    }
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return m_descriptor; }
  int release() { return std::exchange(m_descriptor, -1); }
  void close() {
    if (m_descriptor >= 0) ::close(std::exchange(m_descriptor, -1));
  }

 private:
  int m_descriptor = -1;
};

/// A lock on a file (flock(2)), held until the object ends; it also goes with the process, however that ends.
class FileLock {
 public:
  /// `operation` is LOCK_EX or LOCK_SH, with LOCK_NB so as not to wait; `flags` are added to open(2)'s. None
  /// where the file cannot be opened, or another holds the lock and we do not wait.
  static std::optional<FileLock> open(const std::filesystem::path& path, int operation, int flags = 0) {
    Descriptor descriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600));
    if (descriptor.get() < 0) return std::nullopt;
    while (::flock(descriptor.get(), operation) != 0) {
      if (errno != EINTR) return std::nullopt;
    }
    return FileLock(std::move(descriptor));
  }

  /// Hands the descriptor over: the lock then lasts until the caller closes it, or as long as the process.
  int release() { return m_descriptor.release(); }

 private:
  explicit FileLock(Descriptor descriptor) : m_descriptor(std::move(descriptor)) {}
  Descriptor m_descriptor;
};

}  // namespace lockkeeper
