#include "history/formats/plain.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "base/text.h"
#include "history/faults.h"

namespace lockkeeper::history::formats {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view k_up = ".up.sql";
constexpr std::string_view k_down = ".down.sql";
constexpr std::array<std::string_view, 3> k_our_dialects = {".postgres", ".postgresql", ".pg"};
constexpr std::array<std::string_view, 9> k_other_dialects = {".mysql",   ".mariadb",   ".sqlite",
                                                              ".sqlite3", ".cockroach", ".cockroachdb",
                                                              ".mssql",   ".sqlserver", ".oracle"};

/// A file that is one side of a migration.
struct SideFile {
  std::string version;
  std::string name;
  std::string file;  ///< relative to the history's folder
  bool dialect = false;
};

std::string path_in(const std::string& directory, const std::string& file) {
  return (fs::path(directory) / file).string();
}

bool is_hidden(const std::string& name) {
  return name.starts_with('.');
}

bool is_side(const Entry& entry) {
  return !entry.is_directory && !is_hidden(entry.name) &&
         (entry.name.ends_with(k_up) || entry.name.ends_with(k_down));
}

template <std::size_t n>
std::optional<std::string_view> dialect_of(std::string_view stem,
                                           const std::array<std::string_view, n>& dialects) {
  for (const std::string_view dialect : dialects) {
    if (stem.ends_with(dialect)) return dialect;
  }
  return std::nullopt;
}

SideFile side_file(std::string_view stem, std::string file) {
  SideFile side;
  side.file = std::move(file);
  if (const auto dialect = dialect_of(stem, k_our_dialects)) {
    stem.remove_suffix(dialect->size());
    side.dialect = true;
  }
  const std::size_t underscore = stem.find('_');
  side.version = stem.substr(0, underscore);
  if (underscore != std::string_view::npos) side.name = stem.substr(underscore + 1);
  return side;
}

/// Gathers sides by version, then pairs them.
class Pairing {
 public:
  Pairing(History history, NumberOrder order)
      : m_history(std::move(history)), m_order(order), m_faults(m_history.directory) {}

  void leave(const std::string& file, std::string_view reason) {
    m_history.not_taken.push_back(fmt::format("{}: {}", file, reason));
  }

  void take(bool up, SideFile side) {
    std::map<std::string, SideFile>& sides = up ? m_ups : m_downs;
    const auto known = sides.find(side.version);
    if (known == sides.end()) {
      sides.emplace(side.version, std::move(side));
      return;
    }
    if (known->second.dialect == side.dialect) {
      m_faults.add(path_in(m_history.directory, side.file),
                   fmt::format("version '{}': two migrations have it, '{}' and '{}'", side.version,
                               known->second.file, side.file),
                   "give one of them a version of its own");
      return;
    }
    if (side.dialect) std::swap(known->second, side);
    leave(side.file, fmt::format("'{}' is the one for PostgreSQL", known->second.file));
  }

  Result<History> finish() && {
    for (auto& [version, up] : m_ups) {
      Migration migration{version, up.name, path_in(m_history.directory, up.file), std::nullopt};
      if (const auto down = m_downs.find(version); down != m_downs.end()) {
        migration.down_path = path_in(m_history.directory, down->second.file);
        m_downs.erase(down);
      }
      m_history.migrations.push_back(std::move(migration));
    }
    for (const auto& [version, down] : m_downs) {
      m_faults.add(path_in(m_history.directory, down.file),
                   fmt::format("version '{}': a down without its up", version),
                   "add the up side, or remove the file");
    }
    if (!m_faults.empty()) return std::move(m_faults).failure();
    sort_by_version(m_history.migrations, m_order);
    std::sort(m_history.not_taken.begin(), m_history.not_taken.end());
    return std::move(m_history);
  }

 private:
  History m_history;
  NumberOrder m_order;
  Faults m_faults;
  std::map<std::string, SideFile> m_ups;
  std::map<std::string, SideFile> m_downs;
};

std::string why_not_plain(const Entry& entry) {
  if (is_hidden(entry.name)) return "hidden";
  if (entry.is_directory) return "a folder";
  if (!entry.name.ends_with(".sql")) return "not a .sql file";
  for (const std::string_view side : {"up", "down"}) {
    for (const char separator : {'_', '-'}) {
      if (lower(entry.name).ends_with(fmt::format("{}{}.sql", separator, side))) {
        return fmt::format("ends in '{}{}.sql', not in '.{}.sql'", separator, side, side);
      }
    }
  }
  return "ends neither in .up.sql nor in .down.sql";
}

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool holds_a_side(const std::string& directory, const Entry& entry) {
  const fs::path folder = fs::path(directory) / entry.name;
  return entry.is_directory && !is_hidden(entry.name) &&
         (is_file(folder / "up.sql") || is_file(folder / "down.sql"));
}

Result<void> take_folder(Pairing& pairing, const std::string& directory, const Entry& entry) {
  const Result<std::vector<Entry>> files = list(path_in(directory, entry.name));
  if (!files) return failed(files);
  for (const Entry& file : *files) {
    const std::string relative = fmt::format("{}/{}", entry.name, file.name);
    const bool up = file.name == "up.sql";
    if (file.is_directory || (!up && file.name != "down.sql")) {
      pairing.leave(relative, "neither up.sql nor down.sql");
      continue;
    }
    SideFile side = side_file(entry.name, relative);
    side.dialect = false;
    pairing.take(up, std::move(side));
  }
  return {};
}

}  // namespace

bool plain_fits(const std::string&, const std::vector<Entry>& entries) {
  return std::any_of(entries.begin(), entries.end(), is_side);
}

Result<History> load_plain(const std::string& directory, const std::vector<Entry>& entries) {
  Pairing pairing({directory, "plain", true, {}, {}}, NumberOrder::by_value);
  for (const Entry& entry : entries) {
    if (!is_side(entry)) {
      pairing.leave(entry.is_directory ? entry.name + "/" : entry.name, why_not_plain(entry));
      continue;
    }
    const bool up = entry.name.ends_with(k_up);
    const std::string_view stem =
        std::string_view(entry.name).substr(0, entry.name.size() - (up ? k_up : k_down).size());
    if (const auto dialect = dialect_of(stem, k_other_dialects)) {
      pairing.leave(entry.name, fmt::format("for another dialect, {}", dialect->substr(1)));
      continue;
    }
    SideFile side = side_file(stem, entry.name);
    if (side.version.empty()) {
      pairing.leave(entry.name, "no version before the first '_'");
      continue;
    }
    pairing.take(up, std::move(side));
  }
  return std::move(pairing).finish();
}

bool plain_folders_fits(const std::string& directory, const std::vector<Entry>& entries) {
  return std::any_of(entries.begin(), entries.end(),
                     [&](const Entry& entry) { return holds_a_side(directory, entry); });
}

Result<History> load_plain_folders(const std::string& directory, const std::vector<Entry>& entries) {
  Pairing pairing({directory, "plain-folders", true, {}, {}}, NumberOrder::dates_as_text);
  for (const Entry& entry : entries) {
    const std::string shown = entry.is_directory ? entry.name + "/" : entry.name;
    if (is_hidden(entry.name)) {
      pairing.leave(shown, "hidden");
    } else if (!entry.is_directory) {
      pairing.leave(shown, "not in a folder of its own");
    } else if (!holds_a_side(directory, entry)) {
      pairing.leave(shown, "a folder without up.sql");
    } else if (entry.name.starts_with('_')) {
      pairing.leave(shown, "no version before the first '_'");
    } else if (const Result<void> taken = take_folder(pairing, directory, entry); !taken) {
      return failed(taken);
    }
  }
  return std::move(pairing).finish();
}

}  // namespace lockkeeper::history::formats
