#include "base/file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/interrupt.h"

namespace lockkeeper {

namespace {

/// Opens `path` and writes everything; a failure names `shown`.
Result<void> write_to(const std::filesystem::path& path, const std::filesystem::path& shown, int flags,
                      std::string_view content) {
  const Descriptor file(::open(path.c_str(), flags, 0666));
  if (file.get() < 0) return cannot("write", shown);
  while (!content.empty()) {
    const ssize_t put = ::write(file.get(), content.data(), content.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return cannot("write", shown);
    content.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

}  // namespace

tl::unexpected<Failure> cannot(std::string_view what, const std::filesystem::path& path, int error,
                               FailureKind kind) {
  return failed(kind, fmt::format("cannot {} '{}': {}", what, path.string(), std::strerror(error)));
}

tl::unexpected<Failure> cannot_in_store(std::string_view what, const std::filesystem::path& path, int error) {
  auto failure = cannot(what, path, error);
  failure.value().hint = error == ENOSPC || error == EDQUOT
                             ? "free some space there, or set LOCKKEEPER_STORE to a directory on another disk"
                             : "set LOCKKEEPER_STORE to a directory that you may write";
  return failure;
}

Result<void> expect_no_pipe(const std::filesystem::path& path) {
  std::error_code error;
  const auto kind = std::filesystem::status(path, error).type();
  if (kind != std::filesystem::file_type::fifo && kind != std::filesystem::file_type::character) return {};
  return failed(FailureKind::usage, fmt::format("cannot read '{}': it is no regular file", path.string()),
                "write its content to a file first");
}

std::string first_bytes(const std::filesystem::path& path, std::size_t limit) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return {};
  std::string text(limit, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

Result<std::string> read_file(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  // A named pipe without a writer keeps open(2) waiting.
  if (file.get() < 0 && errno == EINTR && interrupted()) return failed_by_interrupt();
  if (file.get() < 0) return cannot("read", path, errno, FailureKind::usage);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return cannot("read", path, errno, FailureKind::usage);
  std::string content(S_ISREG(status.st_mode) ? static_cast<std::size_t>(status.st_size) + 1 : 65536, '\0');
  std::size_t used = 0;
  while (true) {
    if (used == content.size()) content.resize(content.size() * 2);
    const ssize_t got = ::read(file.get(), content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR && interrupted()) return failed_by_interrupt();
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot("read", path, errno, FailureKind::usage);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  content.resize(used);
  return content;
}

Result<void> write_file(const std::filesystem::path& given, std::string_view content) {
  std::error_code error;
  // What a link names is replaced, not the link.
  const std::filesystem::path canonical = std::filesystem::canonical(given, error);
  const std::filesystem::path path = error ? given : canonical;
  const auto kind = std::filesystem::status(path, error).type();
  using std::filesystem::file_type;
  // A rename would put a file in the place of /dev/null; a terminal or a pipe is written to as it stands.
  if (kind == file_type::character || kind == file_type::fifo) {
    return write_to(path, path, O_WRONLY | O_NOCTTY | O_CLOEXEC, content);
  }
  const std::filesystem::path draft = fmt::format("{}.{}.tmp", path.string(), ::getpid());
  auto written = write_to(draft, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, content);
  if (written && ::rename(draft.c_str(), path.c_str()) != 0) {
    written = cannot("write", path);
  }
  if (!written) ::unlink(draft.c_str());
  return written;
}

}  // namespace lockkeeper
