#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/result.h"

namespace lockkeeper {

/// One entry of a directory tree.
struct TreeEntry {
  enum class Kind { directory, file, link };
  Kind kind = Kind::file;
  std::string path;        ///< relative to the root of the tree
  unsigned mode = 0;       ///< permission bits
  std::uint64_t size = 0;  ///< of a file
  std::string hash;        ///< of a file's content (XXH3, 128 bits), where it was asked for
  std::string target;      ///< of a link

  bool operator==(const TreeEntry&) const = default;
};

enum class Hashing { none, content };

/// Everything below `root`, parents before children, sorted by path; sockets and other special files are left
/// out.
Result<std::vector<TreeEntry>> list_tree(const std::filesystem::path& root, Hashing hashing);

struct CopyOptions {
  std::optional<RunAs> owner;  ///< as root: whom the copy belongs to
  /// What the tree must be (with hashes); a difference is a failure that says which file, and removes the
  /// copy. Files that the file system clones are compared by size alone: their blocks are the original's.
  const std::vector<TreeEntry>* expected = nullptr;
  bool* damaged = nullptr;  ///< set where the source differs from `expected`
};

/// Copies a tree: clones where the file system can, else reads and writes; modes kept, links copied as links,
/// nothing flushed. `to` must not exist; whatever the failure, nothing of it stays. Disk full says how much
/// is needed.
Result<void> copy_tree(const std::filesystem::path& from, const std::filesystem::path& to,
                       const CopyOptions& options = {});

/// The names that a stored tree has beside it: the store (snapshot/store.h) writes them, a copy out of it
/// reads them.
struct StoredTree {
  static constexpr const char* k_files = "files";  ///< the list of the tree, with hashes
  static constexpr const char* k_lock = "lock";  ///< held shared by whoever copies, alone by whoever removes
  static constexpr const char* k_manifest = "manifest.json";
  static constexpr const char* k_damaged =
      "damaged";  ///< what the manifest is renamed to when a copy did not fit
};

/// copy_tree() out of the store where `from` has a list beside it, verified against that; the plain copy
/// where not. A tree that does not fit loses its manifest, so that the store finds it no more, and the caller
/// can make it anew.
Result<void> copy_stored_tree(const std::filesystem::path& from, const std::filesystem::path& to,
                              const std::optional<RunAs>& owner);

/// Removes a tree without following links; absent is fine.
Result<void> remove_tree(const std::filesystem::path& root);

/// A tree as lines of text and back; none where the text is not whole.
std::string write_tree_list(const std::vector<TreeEntry>& entries);
std::optional<std::vector<TreeEntry>> read_tree_list(const std::string& text);

/// Bytes that the files take.
std::uint64_t total_size(const std::vector<TreeEntry>& entries);
/// The same of a tree in the store, by the list beside it; of another tree by looking at its files.
Result<std::uint64_t> stored_tree_size(const std::filesystem::path& root);

/// Can the file system of this directory clone files (copy on write)? Tried with a small file.
bool can_clone(const std::filesystem::path& directory);

/// Bytes free for us on the file system that holds `path`.
std::uint64_t free_space(const std::filesystem::path& path);

}  // namespace lockkeeper
