#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace lockkeeper {

namespace {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int descriptor) : m_descriptor(descriptor) {}
  ~Descriptor() {
    if (m_descriptor >= 0) ::close(m_descriptor);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return m_descriptor; }

 private:
  int m_descriptor;
};

tl::unexpected<Failure> cannot(std::string_view what, const std::filesystem::path& path, FailureKind kind) {
  return failed(kind, fmt::format("cannot {} '{}': {}", what, path.string(), std::strerror(errno)));
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return cannot("read", path, FailureKind::usage);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return cannot("read", path, FailureKind::usage);
  std::string content(S_ISREG(status.st_mode) ? static_cast<std::size_t>(status.st_size) + 1 : 65536, '\0');
  std::size_t used = 0;
  while (true) {
    if (used == content.size()) content.resize(content.size() * 2);
    const ssize_t got = ::read(file.get(), content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot("read", path, FailureKind::usage);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  content.resize(used);
  return content;
}

Result<void> write_file(const std::filesystem::path& path, std::string_view content) {
  const std::filesystem::path draft = fmt::format("{}.{}.tmp", path.string(), ::getpid());
  {
    const Descriptor file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (file.get() < 0) return cannot("write", path, FailureKind::environment);
    while (!content.empty()) {
      const ssize_t put = ::write(file.get(), content.data(), content.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) {
        const auto failure = cannot("write", path, FailureKind::environment);
        ::unlink(draft.c_str());
        return failure;
      }
      content.remove_prefix(static_cast<std::size_t>(put));
    }
  }
  if (::rename(draft.c_str(), path.c_str()) != 0) {
    const auto failure = cannot("write", path, FailureKind::environment);
    ::unlink(draft.c_str());
    return failure;
  }
  return {};
}

}  // namespace lockkeeper
