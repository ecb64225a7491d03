#include "scenario/paths.h"

#include <filesystem>
#include <system_error>
#include <vector>

#include "base/text.h"

namespace lockkeeper::scenario {

namespace fs = std::filesystem;

namespace {

/// Where a relative path may begin, nearest first.
std::vector<fs::path> roots_of(const std::string& scenario_file) {
  std::error_code ignored;
  std::vector<fs::path> roots;
  fs::path folder = fs::absolute(scenario_file, ignored).lexically_normal().parent_path();
  while (true) {
    roots.push_back(folder);
    if (!folder.has_relative_path()) break;
    folder = folder.parent_path();
  }
  roots.push_back(fs::current_path(ignored));
  return roots;
}

std::string as_seen_from_here(const fs::path& path) {
  std::error_code ignored;
  const fs::path relative = path.lexically_relative(fs::current_path(ignored));
  return relative.empty() || *relative.begin() == ".." ? path.string() : relative.string();
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  return names;
}

}  // namespace

std::optional<std::string> find_path(const std::string& scenario_file, const std::string& path) {
  std::error_code ignored;
  if (fs::path(path).is_absolute()) {
    return fs::exists(path, ignored) ? std::optional(path) : std::nullopt;
  }
  for (const fs::path& root : roots_of(scenario_file)) {
    const fs::path candidate = (root / path).lexically_normal();
    if (fs::exists(candidate, ignored)) return as_seen_from_here(candidate);
  }
  return std::nullopt;
}

std::string similar_path(const std::string& scenario_file, const std::string& path) {
  const fs::path wanted(path);
  for (const fs::path& root : roots_of(scenario_file)) {
    const std::vector<std::string> names = names_in((root / wanted.parent_path()).lexically_normal());
    if (const auto name = nearest(wanted.filename().string(), names)) {
      return " (did you mean '" + (wanted.parent_path() / *name).string() + "'?)";
    }
  }
  return {};
}

}  // namespace lockkeeper::scenario
