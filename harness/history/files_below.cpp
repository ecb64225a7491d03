#include "history/files_below.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>

#include "history/format.h"

namespace lockkeeper::history {

namespace fs = std::filesystem;

namespace {

/// Folders under way, by their real paths: a link to one of them would never end.
Result<void> gather(const std::string& directory, const std::string& below, std::set<fs::path>& entered,
                    FilesBelow& result) {
  std::error_code ignored;
  const fs::path real = fs::weakly_canonical(directory, ignored);
  if (!entered.insert(real).second) {
    result.skipped.push_back(below + ": a link leads back to it");
    return {};
  }
  const auto entries = list(directory);
  if (!entries) return failed(entries);
  for (const Entry& entry : *entries) {
    const std::string path = below + entry.name;
    if (!entry.is_directory) {
      result.files.push_back({path, entry.name});
    } else if (entry.name.starts_with('.')) {
      result.skipped.push_back(path + "/: hidden");
    } else if (entry.name == "node_modules") {
      result.skipped.push_back(path + "/: what npm installs");
    } else if (const auto gathered =
                   gather((fs::path(directory) / entry.name).string(), path + "/", entered, result);
               !gathered) {
      return gathered;
    }
  }
  entered.erase(real);
  return {};
}

}  // namespace

Result<FilesBelow> files_below(const std::string& directory) {
  FilesBelow result;
  std::set<fs::path> entered;
  if (const auto gathered = gather(directory, "", entered, result); !gathered) return failed(gathered);
  std::sort(result.files.begin(), result.files.end(),
            [](const FileBelow& a, const FileBelow& b) { return a.path < b.path; });
  return result;
}

}  // namespace lockkeeper::history
