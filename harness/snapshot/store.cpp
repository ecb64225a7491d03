#include "snapshot/store.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/tree.h"

// <directory>/lockkeeper-store             the marker: nothing is ever removed from a directory without it
//            /locks/<key>                  held alone while an entry is published
//            /snapshots/<key>/data/        the tree
//                             files        its list: kinds, modes, sizes and hashes
//                             notes        what the maker wants to know again
//                             manifest.json  written last; names the hashes of the two above
//                             lock         held shared by copies, alone by whoever removes
//                             used         its time of change is the time of last use
//            /drafts/draft-<random>/       an entry in the making, with `data/` and a held `lock`
//            /runs/                        base/run_directory.h

namespace lockkeeper::snapshot {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
constexpr const char* k_marker = "lockkeeper-store";
constexpr const char* k_marker_text = "lockkeeper store 1\n";
constexpr const char* k_data = "data";
constexpr const char* k_notes = "notes";
constexpr const char* k_used = "used";
constexpr const char* k_drafts_lock = "making drafts";  // no key: it has a space
constexpr int k_format = 1;

mode_t open_mode() {
  return ::geteuid() == 0 ? 0711 : 0700;
}

Result<void> make_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) == 0) {
    if (::chmod(path.c_str(), open_mode()) == 0) return {};
    return cannot_in_store("make", path);
  }
  struct stat status {};
  if (errno != EEXIST || ::lstat(path.c_str(), &status) != 0) return cannot_in_store("make", path);
  if (S_ISDIR(status.st_mode) && status.st_uid == ::geteuid()) return {};
  return failed(FailureKind::environment,
                fmt::format("cannot use '{}': {}", path.string(),
                            S_ISDIR(status.st_mode) ? "it belongs to another account" : "it is no directory"),
                "remove it, or set LOCKKEEPER_STORE to a directory of your own");
}

/// A key is a hash or the like, never a path.
bool is_key(const std::string& key) {
  return !key.empty() && key.size() <= 128 &&
         std::all_of(key.begin(), key.end(), [](unsigned char character) {
           return std::isalnum(character) != 0 || character == '-' || character == '_';
         });
}

std::vector<fs::path> children(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    found.push_back(entry->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::chrono::system_clock::time_point last_use(const fs::path& entry) {
  struct stat status {};
  if (::stat((entry / k_used).c_str(), &status) != 0) return {};
  return std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::nanoseconds(status.st_mtim.tv_nsec)));
}

/// What the manifest says, if it says it whole and the files that it names fit it.
struct Manifest {
  std::string key;
  std::string description;
  std::string files_hash;
  std::string notes_hash;
  std::uint64_t bytes = 0;
};

std::optional<Manifest> read_manifest(const fs::path& entry) {
  const auto text = read_file(entry / StoredTree::k_manifest);
  if (!text) return std::nullopt;
  const Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object() || json.value("format", 0) != k_format) return std::nullopt;
  try {
    return Manifest{json.at("key"), json.at("description"), json.at("files_hash"), json.at("notes_hash"),
                    json.at("bytes")};
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

/// Every file there with its size, and no other.
bool has_all_files(const fs::path& data, const std::vector<TreeEntry>& expected) {
  const auto found = list_tree(data, Hashing::none);
  if (!found || found->size() != expected.size()) return false;
  return std::equal(found->begin(), found->end(), expected.begin(),
                    [](const TreeEntry& a, const TreeEntry& b) {
                      return a.kind == b.kind && a.path == b.path && a.size == b.size &&
                             a.target == b.target && a.mode == b.mode;
                    });
}

/// The entry if it is whole; its content is compared with the hashes when it is copied out (base/tree.h).
std::optional<Store::Entry> open_entry(const fs::path& directory) {
  const auto manifest = read_manifest(directory);
  if (!manifest || manifest->key != directory.filename()) return std::nullopt;
  const auto files = read_file(directory / StoredTree::k_files);
  auto notes = read_file(directory / k_notes);
  if (!files || !notes || hash_hex(*files) != manifest->files_hash ||
      hash_hex(*notes) != manifest->notes_hash) {
    return std::nullopt;
  }
  const auto expected = read_tree_list(*files);
  if (!expected || !has_all_files(directory / k_data, *expected)) return std::nullopt;
  Store::Entry entry;
  entry.key = manifest->key;
  entry.description = manifest->description;
  entry.directory = directory / k_data;
  entry.notes = std::move(*notes);
  entry.bytes = manifest->bytes;
  entry.last_used = last_use(directory);
  return entry;
}

/// Removes an entry or a draft unless somebody uses it; returns the bytes that went. The lock file is renamed
/// along, so that a copy that begins now finds nothing.
Result<std::uint64_t> remove_unused(const fs::path& directory, const fs::path& graveyard) {
  // Of an entry without a lock nobody can be copying.
  const auto lock = FileLock::open(directory / StoredTree::k_lock, LOCK_EX | LOCK_NB);
  if (!lock && errno == EWOULDBLOCK) return 0;
  const auto listed = list_tree(directory, Hashing::none);
  const std::uint64_t bytes = listed ? total_size(*listed) : 0;
  std::string grave = (graveyard / "draft-XXXXXX").string();
  if (::mkdtemp(grave.data()) == nullptr) return cannot_in_store("make", grave);
  if (::rename(directory.c_str(), grave.c_str()) != 0) {
    const int error = errno;
    ::rmdir(grave.c_str());
    if (error == ENOENT) return 0;
    return cannot_in_store("remove", directory, error);
  }
  if (const auto removed = remove_tree(grave); !removed) return failed(removed);
  return bytes;
}

fs::path home_cache() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return fs::path(cache) / "lockkeeper";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return fs::path(home) / ".cache" / "lockkeeper";
  return fmt::format("/tmp/lockkeeper-store-{}", ::geteuid());
}

}  // namespace

Store::Store(fs::path directory, std::uint64_t limit_bytes)
    : m_directory(std::move(directory)), m_limit_bytes(limit_bytes) {}

fs::path Store::default_directory() {
  const char* named = std::getenv("LOCKKEEPER_STORE");
  if (named != nullptr && *named != '\0') return fs::absolute(named);
  // Root's home is closed to the account that servers run as.
  if (::geteuid() == 0) return "/var/cache/lockkeeper";
  return home_cache();
}

Result<Store> Store::open(const fs::path& given, std::uint64_t limit_bytes) {
  const fs::path directory = fs::absolute(given).lexically_normal();
  std::error_code error;
  fs::create_directories(directory.parent_path(), error);
  if (error) return cannot_in_store("make", directory, error.value());
  if (const auto made = make_directory(directory); !made) return failed(made);
  const fs::path marker = directory / k_marker;
  if (::access(marker.c_str(), F_OK) != 0) {
    const std::vector<fs::path> there = children(directory);
    // Another run may be making it at this very moment: its marker comes first.
    const bool marked = std::find(there.begin(), there.end(), marker) != there.end();
    const bool half_made = std::all_of(there.begin(), there.end(), [](const fs::path& path) {
      return path.filename().string().starts_with(k_marker);
    });
    if (!marked && !half_made) {
      return failed(FailureKind::environment,
                    fmt::format("cannot use '{}' as a store: it holds other things", directory.string()),
                    "set LOCKKEEPER_STORE to a directory that does not exist yet or is empty");
    }
    if (const auto written = write_file(marker, k_marker_text); !written) return failed(written);
  }
  if (read_file(marker).value_or("") != k_marker_text) {
    return failed(
        FailureKind::environment,
        fmt::format("cannot use '{}' as a store: another version of lockkeeper made it", directory.string()),
        "remove it, or set LOCKKEEPER_STORE to another directory");
  }
  if (::chmod(directory.c_str(), open_mode()) != 0) return cannot_in_store("open", directory);
  for (const char* name : {"snapshots", "drafts", "locks", "runs"}) {
    if (const auto made = make_directory(directory / name); !made) return failed(made);
  }
  return Store(directory, limit_bytes);
}

std::optional<Store::Entry> Store::find(const std::string& key) const {
  if (!is_key(key)) return std::nullopt;
  const fs::path directory = m_directory / "snapshots" / key;
  if (::access(directory.c_str(), F_OK) != 0) return std::nullopt;
  auto entry = open_entry(directory);
  if (entry) {
    ::utimensat(AT_FDCWD, (directory / k_used).c_str(), nullptr, 0);
    return entry;
  }
  // Unfit: gone now, if nobody holds it; if somebody does, publish() takes its place all the same.
  static_cast<void>(remove_unused(directory, m_directory / "drafts"));
  return std::nullopt;
}

Result<fs::path> Store::draft() const {
  // A draft is not yet locked when it is made: prune() waits until it is.
  const auto guard = FileLock::open(m_directory / "locks" / k_drafts_lock, LOCK_SH, O_CREAT);
  std::string path = (m_directory / "drafts" / "draft-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) return cannot_in_store("make", path);
  auto lock = FileLock::open(fs::path(path) / StoredTree::k_lock, LOCK_EX | LOCK_NB, O_CREAT);
  if (!lock) {
    const auto failure = cannot_in_store("lock", path);
    static_cast<void>(remove_tree(path));
    return failure;
  }
  // Held for the rest of our life: tells prune() that its maker lives; what a dead maker left has no holder.
  static_cast<void>(lock->release());
  const fs::path data = fs::path(path) / k_data;
  if (::mkdir(data.c_str(), 0700) != 0) return cannot_in_store("make", data);
  return data;
}

namespace {

Result<Manifest> write_entry(const fs::path& entry, const std::string& key, const std::string& description,
                             const std::string& notes) {
  const auto listed = list_tree(entry / k_data, Hashing::content);
  if (!listed) return failed(listed);
  const std::string files = write_tree_list(*listed);
  const Manifest manifest{key, description, hash_hex(files), hash_hex(notes), total_size(*listed)};
  const Json json = {{"format", k_format},
                     {"key", key},
                     {"description", description},
                     {"bytes", manifest.bytes},
                     {"files_hash", manifest.files_hash},
                     {"notes_hash", manifest.notes_hash}};
  for (const auto& [name, text] :
       {std::pair<const char*, std::string>{StoredTree::k_files, files},
        {k_notes, notes},
        {k_used, ""},
        {StoredTree::k_manifest, json.dump(2, ' ', false, Json::error_handler_t::replace)}}) {
    if (auto written = write_file(entry / name, text); !written) return failed(written);
  }
  return manifest;
}

}  // namespace

Result<Store::Entry> Store::publish(const std::string& key, const fs::path& draft,
                                    const std::string& description, const std::string& notes) const {
  const fs::path from = draft.parent_path();
  if (!is_key(key) || from.parent_path() != m_directory / "drafts") {
    return failed(FailureKind::environment,
                  fmt::format("cannot store '{}': no draft of this store", draft.string()));
  }
  const auto written = write_entry(from, key, description, notes);
  if (!written) {
    static_cast<void>(remove_tree(from));
    return failed(written);
  }
  const auto guard = FileLock::open(m_directory / "locks" / key, LOCK_EX, O_CREAT);
  if (!guard) return cannot_in_store("lock", m_directory / "locks" / key);
  if (auto standing = find(key)) {
    if (const auto removed = remove_tree(from); !removed) return failed(removed);
    return *standing;
  }
  // The lock file of the draft is held until we end; the entry gets one that copies can share.
  const fs::path to = m_directory / "snapshots" / key;
  std::error_code error;
  fs::remove(from / StoredTree::k_lock, error);
  if (auto lock = FileLock::open(from / StoredTree::k_lock, LOCK_SH, O_CREAT | O_EXCL); !lock)
    return cannot_in_store("lock", from);
  if (::rename(from.c_str(), to.c_str()) != 0) {
    const auto failure = cannot_in_store("publish", to);
    static_cast<void>(remove_tree(from));
    return failure;
  }
  // A snapshot larger than the limit is of use to this run still; the next prune() takes it.
  static_cast<void>(prune(std::max(m_limit_bytes, written->bytes)));
  auto entry = find(key);
  if (entry) return *entry;
  return failed(FailureKind::environment, fmt::format("cannot read back '{}'", to.string()),
                "run 'lockkeeper cache clear'");
}

std::vector<Store::Entry> Store::list() const {
  std::vector<Entry> entries;
  for (const fs::path& directory : children(m_directory / "snapshots")) {
    if (auto entry = open_entry(directory)) entries.push_back(std::move(*entry));
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.last_used > b.last_used; });
  return entries;
}

Result<std::uint64_t> Store::prune(std::uint64_t limit_bytes) const {
  const fs::path drafts = m_directory / "drafts";
  std::uint64_t gone = 0;
  const auto guard = FileLock::open(m_directory / "locks" / k_drafts_lock, LOCK_EX, O_CREAT);
  if (!guard) return cannot_in_store("lock", drafts);
  std::vector<fs::path> unfit = children(drafts);  // those whose maker lives are locked
  std::vector<std::pair<fs::path, std::uint64_t>> fit;
  std::vector<std::pair<std::chrono::system_clock::time_point, std::size_t>> by_use;
  for (const fs::path& directory : children(m_directory / "snapshots")) {
    const auto entry = open_entry(directory);
    if (!entry) {
      unfit.push_back(directory);
      continue;
    }
    by_use.emplace_back(entry->last_used, fit.size());
    fit.emplace_back(directory, entry->bytes);
  }
  for (const fs::path& directory : unfit) {
    const auto bytes = remove_unused(directory, drafts);
    if (!bytes) return bytes;
    gone += *bytes;
  }
  std::sort(by_use.begin(), by_use.end(), std::greater<>());
  std::uint64_t kept = 0;
  for (const auto& [used, index] : by_use) {
    kept += fit[index].second;
    if (kept <= limit_bytes) continue;
    const auto bytes = remove_unused(fit[index].first, drafts);
    if (!bytes) return bytes;
    gone += *bytes;
    if (*bytes > 0) kept -= fit[index].second;
  }
  return gone;
}

Result<std::uint64_t> Store::clear() const {
  return prune(0);
}

}  // namespace lockkeeper::snapshot
