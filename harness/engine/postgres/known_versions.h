#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace lockkeeper::engine::postgres {

/// What programs said to -V, kept in a file: starting one only to be told so takes longer than a small
/// migration. A program that is another file now (inode, size, times) is not known; nor is any where the file
/// is not whole, or somebody else may write it.
class KnownVersions {
 public:
  /// An empty path: nothing is known, and nothing kept.
  explicit KnownVersions(std::filesystem::path file);

  /// What tells this file from every other that was or will be at its place; empty where there is none.
  static std::string key_of(const std::filesystem::path& program);

  std::optional<std::string> of(const std::filesystem::path& program, const std::string& key) const;
  /// `key` is the program's from before it was asked.
  void add(const std::filesystem::path& program, const std::string& key, const std::string& version);
  /// Writes the file anew where something was added; what cannot be written is asked again next time.
  void save() const;

 private:
  struct Known {
    std::string key;
    std::string version;
  };
  std::filesystem::path m_file;
  std::map<std::string, Known> m_known;  ///< by path
  bool m_changed = false;
};

}  // namespace lockkeeper::engine::postgres
