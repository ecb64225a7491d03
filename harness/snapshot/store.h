#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace lockkeeper::snapshot {

/// The content-addressed store of snapshots: directories named by the hash of what made them. Entries are
/// written beside their place and renamed into it when whole, each under a lock of its own; an entry whose
/// manifest does not fit what lies there is removed and reported as absent. Only directories that carry our
/// manifest are ever deleted.
class Store {
 public:
  struct Entry {
    std::string key;
    std::string
        description;  ///< for people: "postgres 15.20 · vet-clinic indexes · 3 fixtures · 12 migrations"
    std::filesystem::path directory;  ///< the data
    std::string notes;                ///< what the maker wants to know again (the base state)
    std::uint64_t bytes = 0;
    std::chrono::system_clock::time_point last_used;
  };

  /// Opens or makes the store. Environment failures: not writable, not ours, a symbolic link of somebody
  /// else.
  static Result<Store> open(const std::filesystem::path& directory, std::uint64_t limit_bytes);
  /// $LOCKKEEPER_STORE, else $XDG_CACHE_HOME/lockkeeper, else ~/.cache/lockkeeper.
  static std::filesystem::path default_directory();

  /// The entry, verified (every file there with its size), and marked as used; none where absent or unfit.
  std::optional<Entry> find(const std::string& key) const;
  /// An empty directory of this store in which to prepare an entry, on the same file system.
  Result<std::filesystem::path> draft() const;
  /// Makes the draft the entry of this key; another run's entry of the same key, finished first, is left
  /// standing.
  Result<Entry> publish(const std::string& key, const std::filesystem::path& draft,
                        const std::string& description, const std::string& notes) const;

  std::vector<Entry> list() const;  ///< newest use first
  /// Removes the least recently used over the limit, unfit entries and dead drafts; returns how many bytes
  /// went.
  Result<std::uint64_t> prune(std::uint64_t limit_bytes) const;
  Result<std::uint64_t> clear() const;

  const std::filesystem::path& directory() const { return m_directory; }

 private:
  explicit Store(std::filesystem::path directory, std::uint64_t limit_bytes);
  std::filesystem::path m_directory;
  std::uint64_t m_limit_bytes;
};

}  // namespace lockkeeper::snapshot
