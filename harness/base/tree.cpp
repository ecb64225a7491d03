#include "base/tree.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/text.h"

namespace lockkeeper {

namespace {

namespace fs = std::filesystem;
constexpr std::size_t k_block = 256UL * 1024;
constexpr std::size_t k_copiers = 2;
constexpr std::uint64_t k_large = 8ULL << 20;
constexpr std::size_t k_kernel_copy = 16UL << 20;
constexpr std::string_view k_list_head = "lockkeeper tree 1";

/// Reads to the end and hands each block on; `take` may refuse with false (errno set).
template <typename Take>
bool read_through(int descriptor, std::vector<char>& buffer, Take take) {
  while (true) {
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) return true;
    if (!take(std::string_view(buffer.data(), static_cast<std::size_t>(got)))) return false;
  }
}

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(descriptor, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

Result<std::string> hash_file(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0) return cannot("read", path);
  Hasher hasher;
  std::vector<char> buffer(k_block);
  const bool whole = read_through(file.get(), buffer, [&](std::string_view bytes) {
    hasher.add(bytes);
    return true;
  });
  if (!whole) return cannot("read", path);
  return hasher.hex();
}

Result<std::optional<TreeEntry>> entry_of(const fs::path& root, const fs::path& path, Hashing hashing) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return cannot("read", path);
  TreeEntry entry;
  // lexically_relative is slow on a thousand paths, and the root is a prefix by construction.
  entry.path = path.native().substr(root.native().size() + 1);
  entry.mode = status.st_mode & 07777U;
  if (S_ISDIR(status.st_mode)) {
    entry.kind = TreeEntry::Kind::directory;
  } else if (S_ISLNK(status.st_mode)) {
    entry.kind = TreeEntry::Kind::link;
    std::error_code error;
    entry.target = fs::read_symlink(path, error).string();
    if (error) return cannot("read", path, error.value());
  } else if (S_ISREG(status.st_mode)) {
    entry.size = static_cast<std::uint64_t>(status.st_size);
    if (hashing == Hashing::content) {
      auto hash = hash_file(path);
      if (!hash) return failed(hash);
      entry.hash = std::move(*hash);
    }
  } else {
    return std::optional<TreeEntry>();
  }
  return std::optional<TreeEntry>(std::move(entry));
}

fs::path without_trailing_slash(const fs::path& path) {
  return path.has_filename() ? path : path.parent_path();
}

/// Copies the files of a tree from several threads; the first failure stops all.
class Copier {
 public:
  Copier(fs::path from, fs::path to, const std::vector<TreeEntry>& entries, const CopyOptions& options)
      : m_from(std::move(from)),
        m_to(std::move(to)),
        m_entries(entries),
        m_options(options),
        m_free(free_space(m_to)) {}

  Result<void> copy() {
    for (const TreeEntry& entry : m_entries) {
      if (entry.kind == TreeEntry::Kind::directory && !make_directory(entry))
        return tl::unexpected(*m_failure);
    }
    std::vector<std::thread> others;
    if (m_entries.size() > 64) {
      for (std::size_t i = 1; i < k_copiers; ++i) others.emplace_back([this] { copy_files(); });
    }
    copy_files();
    for (std::thread& other : others) other.join();
    if (m_failure) return tl::unexpected(*m_failure);
    return {};
  }

 private:
  fs::path source(const TreeEntry& entry) const { return m_from / entry.path; }
  fs::path target(const TreeEntry& entry) const { return m_to / entry.path; }

  bool fail(const tl::unexpected<Failure>& failure) {
    const std::lock_guard lock(m_mutex);
    if (!m_failure) m_failure = failure.value();
    m_stop = true;
    return false;
  }

  bool fail_write(const TreeEntry& entry) {
    if (errno != ENOSPC && errno != EDQUOT) return fail(cannot("write", target(entry)));
    return fail(failed(FailureKind::environment,
                       fmt::format("cannot copy '{}': the disk is full, {} are needed and {} are free",
                                   m_from.string(), human_bytes(total_size(m_entries)), human_bytes(m_free)),
                       "free some space there, or set LOCKKEEPER_STORE to a directory on another disk"));
  }

  bool fail_damaged(const TreeEntry& entry) {
    const std::lock_guard lock(m_mutex);
    if (m_options.damaged != nullptr) *m_options.damaged = true;
    if (!m_failure) {
      m_failure = Failure{
          FailureKind::environment,
          fmt::format("cannot use '{}': its content is not what was written there", source(entry).string()),
          "run 'lockkeeper cache clear'", std::nullopt};
    }
    m_stop = true;
    return false;
  }

  bool own(int descriptor) const {
    return !m_options.owner || ::geteuid() != 0 ||
           ::fchown(descriptor, m_options.owner->uid, m_options.owner->gid) == 0;
  }

  bool make_directory(const TreeEntry& entry) {
    const fs::path path = target(entry);
    if (::mkdir(path.c_str(), 0700) != 0) return fail_write(entry);
    const Descriptor directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (directory.get() < 0 || ::fchmod(directory.get(), entry.mode) != 0 || !own(directory.get())) {
      return fail_write(entry);
    }
    return true;
  }

  void copy_files() {
    std::vector<char> buffer(k_block);
    while (!m_stop) {
      const std::size_t index = m_next++;
      if (index >= m_entries.size()) return;
      const TreeEntry& entry = m_entries[index];
      if (interrupted()) fail(failed_by_interrupt());
      if (entry.kind == TreeEntry::Kind::link) copy_link(entry);
      if (entry.kind == TreeEntry::Kind::file) copy_file(entry, buffer);
    }
  }

  bool copy_link(const TreeEntry& entry) {
    const fs::path path = target(entry);
    if (::symlink(entry.target.c_str(), path.c_str()) != 0) return fail_write(entry);
    if (m_options.owner && ::geteuid() == 0 &&
        ::lchown(path.c_str(), m_options.owner->uid, m_options.owner->gid) != 0) {
      return fail_write(entry);
    }
    return true;
  }

  bool copy_file(const TreeEntry& entry, std::vector<char>& buffer) {
    const Descriptor in(::open(source(entry).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (in.get() < 0)
      return m_options.expected != nullptr ? fail_damaged(entry) : fail(cannot("read", source(entry)));
    const Descriptor out(::open(target(entry).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                                entry.mode & 0777U));
    if (out.get() < 0 || !own(out.get())) return fail_write(entry);
    if (m_cloning && entry.size > 0) {
      if (::ioctl(out.get(), FICLONE, in.get()) == 0) return check_size(entry, out.get());
      m_cloning = false;  // EOPNOTSUPP, EXDEV: the same for all the others
    }
    return copy_content(entry, in.get(), out.get(), buffer);
  }

  bool check_size(const TreeEntry& entry, int out) {
    struct stat status {};
    if (::fstat(out, &status) != 0) return fail_write(entry);
    if (m_options.expected == nullptr || static_cast<std::uint64_t>(status.st_size) == entry.size)
      return true;
    return fail_damaged(entry);
  }

  /// A large one is copied in the kernel while its content is hashed beside; none where the kernel cannot.
  std::optional<bool> copy_large(const TreeEntry& entry, int in, int out) {
    std::future<Result<std::string>> hash;
    if (m_options.expected != nullptr)
      hash = std::async(std::launch::async, [path = source(entry)] { return hash_file(path); });
    while (true) {
      const ssize_t copied = ::copy_file_range(in, nullptr, out, nullptr, k_kernel_copy, 0);
      if (copied == 0) break;
      if (copied > 0 && !interrupted()) continue;
      if (copied > 0) return fail(failed_by_interrupt());
      if (errno == EINTR) continue;
      if (::lseek(in, 0, SEEK_CUR) == 0) return std::nullopt;
      return fail_write(entry);
    }
    if (!hash.valid()) return true;
    const auto found = hash.get();
    if (!found) return fail(failed(found));
    return *found == entry.hash ? true : fail_damaged(entry);
  }

  bool copy_content(const TreeEntry& entry, int in, int out, std::vector<char>& buffer) {
    if (entry.size >= k_large) {
      if (const auto copied = copy_large(entry, in, out)) return *copied;
    }
    Hasher hasher;
    bool written = true;
    const bool verify = m_options.expected != nullptr;
    const bool whole = read_through(in, buffer, [&](std::string_view bytes) {
      if (verify) hasher.add(bytes);
      written = write_all(out, bytes);
      return written;
    });
    if (!written) return fail_write(entry);
    if (!whole) return fail(cannot("read", source(entry)));
    if (verify && hasher.hex() != entry.hash) return fail_damaged(entry);
    return true;
  }

  fs::path m_from;
  fs::path m_to;
  const std::vector<TreeEntry>& m_entries;
  const CopyOptions& m_options;
  std::uint64_t m_free;  ///< before the copy took any of it
  std::atomic<std::size_t> m_next{0};
  std::atomic<bool> m_stop{false};
  std::atomic<bool> m_cloning{true};
  std::mutex m_mutex;
  std::optional<Failure> m_failure;
};

Result<void> make_root(const fs::path& from, const fs::path& to, const CopyOptions& options) {
  struct stat status {};
  if (::stat(from.c_str(), &status) != 0) return cannot("read", from);
  if (::mkdir(to.c_str(), 0700) != 0) return cannot("make", to);
  if (::chmod(to.c_str(), status.st_mode & 07777U) != 0) return cannot("make", to);
  if (options.owner && ::geteuid() == 0 && ::chown(to.c_str(), options.owner->uid, options.owner->gid) != 0) {
    return cannot("make", to);
  }
  return {};
}

const char* kind_letter(TreeEntry::Kind kind) {
  switch (kind) {
    case TreeEntry::Kind::directory:
      return "d";
    case TreeEntry::Kind::file:
      return "f";
    case TreeEntry::Kind::link:
      return "l";
  }
  return "";
}

template <typename Number>
bool parse(const std::string& text, Number& number, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size();
}

std::optional<TreeEntry> parse_line(const std::string& line) {
  const std::vector<std::string> fields = split(line, '\t');
  if (fields.size() != 6 || fields[0].size() != 1) return std::nullopt;
  TreeEntry entry;
  switch (fields[0][0]) {
    case 'd':
      entry.kind = TreeEntry::Kind::directory;
      break;
    case 'f':
      entry.kind = TreeEntry::Kind::file;
      break;
    case 'l':
      entry.kind = TreeEntry::Kind::link;
      break;
    default:
      return std::nullopt;
  }
  if (!parse(fields[1], entry.mode, 8) || !parse(fields[2], entry.size, 10)) return std::nullopt;
  entry.hash = fields[3];
  entry.path = fields[4];
  entry.target = fields[5];
  const fs::path path(entry.path);
  // A list that leads out of its own tree is no list of ours.
  if (path.empty() || path.is_absolute() || std::find(path.begin(), path.end(), "..") != path.end())
    return std::nullopt;
  return entry;
}

}  // namespace

Result<std::vector<TreeEntry>> list_tree(const fs::path& given, Hashing hashing) {
  const fs::path root = without_trailing_slash(given);
  std::vector<TreeEntry> entries;
  std::error_code error;
  fs::recursive_directory_iterator walk(root, fs::directory_options::none, error);
  if (error) return cannot("read", root, error.value());
  for (; walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    auto entry = entry_of(root, walk->path(), hashing);
    if (!entry) return failed(entry);
    if (*entry) entries.push_back(std::move(**entry));
  }
  if (error) return cannot("read", root, error.value());
  std::sort(entries.begin(), entries.end(),
            [](const TreeEntry& a, const TreeEntry& b) { return a.path < b.path; });
  return entries;
}

Result<void> copy_tree(const fs::path& given_from, const fs::path& given_to, const CopyOptions& options) {
  const fs::path from = without_trailing_slash(given_from);
  const fs::path to = without_trailing_slash(given_to);
  std::vector<TreeEntry> found;
  if (options.expected == nullptr) {
    auto listed = list_tree(from, Hashing::none);
    if (!listed) return failed(listed);
    found = std::move(*listed);
  }
  if (const auto made = make_root(from, to, options); !made) return made;
  auto copied = Copier(from, to, options.expected != nullptr ? *options.expected : found, options).copy();
  if (!copied) {
    if (const auto removed = remove_tree(to); !removed)
      copied.error().message += "; " + removed.error().message;
  }
  return copied;
}

Result<void> copy_stored_tree(const fs::path& from, const fs::path& to, const std::optional<RunAs>& owner) {
  CopyOptions options;
  options.owner = owner;
  const fs::path entry = without_trailing_slash(from).parent_path();
  const auto text = read_file(entry / StoredTree::k_files);
  if (!text) return copy_tree(from, to, options);
  // Held until the copy is done: nobody prunes what is being read.
  const Descriptor lock(::open((entry / StoredTree::k_lock).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (lock.get() < 0) return cannot("lock", entry / StoredTree::k_lock);
  while (::flock(lock.get(), LOCK_SH) != 0) {
    if (errno != EINTR) return cannot("lock", entry / StoredTree::k_lock);
  }
  bool damaged = false;
  const auto expected = read_tree_list(*text);
  Result<void> copied =
      expected ? Result<void>()
               : failed(FailureKind::environment,
                        fmt::format("cannot use '{}': its list of files is damaged", entry.string()));
  if (expected) {
    options.expected = &*expected;
    options.damaged = &damaged;
    copied = copy_tree(from, to, options);
  }
  if (damaged || !expected) {
    ::rename((entry / StoredTree::k_manifest).c_str(), (entry / StoredTree::k_damaged).c_str());
  }
  return copied;
}

Result<void> remove_tree(const fs::path& root) {
  std::error_code error;
  fs::remove_all(root, error);
  if (error) return cannot("remove", root, error.value());
  return {};
}

std::string write_tree_list(const std::vector<TreeEntry>& entries) {
  std::string text = std::string(k_list_head) + "\n";
  for (const TreeEntry& entry : entries) {
    text += fmt::format("{}\t{:o}\t{}\t{}\t{}\t{}\n", kind_letter(entry.kind), entry.mode, entry.size,
                        entry.hash, entry.path, entry.target);
  }
  return text + "end\n";
}

std::optional<std::vector<TreeEntry>> read_tree_list(const std::string& text) {
  const std::vector<std::string> lines = split(text, '\n');
  if (lines.size() < 3 || lines.front() != k_list_head || lines[lines.size() - 2] != "end" ||
      !lines.back().empty()) {
    return std::nullopt;
  }
  std::vector<TreeEntry> entries;
  for (std::size_t i = 1; i + 2 < lines.size(); ++i) {
    auto entry = parse_line(lines[i]);
    if (!entry) return std::nullopt;
    entries.push_back(std::move(*entry));
  }
  return entries;
}

std::uint64_t total_size(const std::vector<TreeEntry>& entries) {
  std::uint64_t total = 0;
  for (const TreeEntry& entry : entries) total += entry.size;
  return total;
}

Result<std::uint64_t> stored_tree_size(const fs::path& root) {
  if (const auto text = read_file(without_trailing_slash(root).parent_path() / StoredTree::k_files)) {
    if (const auto entries = read_tree_list(*text)) return total_size(*entries);
  }
  const auto entries = list_tree(root, Hashing::none);
  if (!entries) return failed(entries);
  return total_size(*entries);
}

bool can_clone(const fs::path& directory) {
  std::string original = (directory / "clone-XXXXXX").string();
  const Descriptor in(::mkostemp(original.data(), O_CLOEXEC));
  if (in.get() < 0) return false;
  const std::string copy = original + ".copy";
  const bool written = write_all(in.get(), std::string(8192, 'x'));
  const Descriptor out(::open(copy.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const bool cloned = written && out.get() >= 0 && ::ioctl(out.get(), FICLONE, in.get()) == 0;
  ::unlink(original.c_str());
  ::unlink(copy.c_str());
  return cloned;
}

std::uint64_t free_space(const fs::path& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) return 0;
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

}  // namespace lockkeeper
