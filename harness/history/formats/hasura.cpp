#include "history/formats/hasura.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/file.h"
#include "history/lines.h"
#include "history/pairing.h"

namespace lockkeeper::history::formats::hasura {

namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// <number>_<name>, the number one of 64 bits.
bool is_named(const std::string& name) {
  const std::size_t at = name.find('_');
  if (at == std::string::npos) return false;
  const std::string number = name.substr(0, at);
  return is_number(number) && !number_less("18446744073709551615", number);
}

bool is_migration(const Folder& folder, const Entry& entry) {
  return entry.is_directory && is_named(entry.name) &&
         (is_file(fs::path(folder.path_of(entry.name)) / "up.sql") ||
          is_file(fs::path(folder.path_of(entry.name)) / "down.sql"));
}

/// Path of the config.yaml of a project of Hasura's that the folder lies in; else empty.
std::string config_above(const Folder& folder) {
  for (const std::string& path : folder.all_above("config.yaml")) {
    const auto text = read_file(path);
    Lines lines(text ? std::string_view(*text) : std::string_view());
    while (lines.next()) {
      if (lines.line().text.starts_with("metadata_directory:") || lines.line().text.starts_with("endpoint:"))
        return path;
    }
  }
  return {};
}

Result<sql::Script> read_hasura(const Migration& migration, record::Side side) {
  return script_of(whole_file(path_of_side(migration, side), migration.dialect,
                              record::TransactionShape::one_transaction, "hasura"));
}

Result<void> take_folder(Pairing& pairing, const Folder& folder, const Entry& entry) {
  const auto files = list(folder.path_of(entry.name));
  if (!files) return failed(files);
  for (const Entry& file : *files) {
    const std::string relative = fmt::format("{}/{}", entry.name, file.name);
    std::error_code ignored;
    if (file.name == "up.yaml" || file.name == "down.yaml") {
      pairing.leave_file(relative, "changes metadata, which is no SQL");
    } else if (file.is_directory || (file.name != "up.sql" && file.name != "down.sql")) {
      pairing.leave_file(relative, "neither up.sql nor down.sql");
    } else if (fs::file_size(folder.path_of(relative), ignored) == 0) {
      pairing.leave_file(relative, "empty, and so passed over");
    } else {
      SideFile side = side_file(entry.name, relative);
      side.key = number_key(side.version);
      pairing.take(file.name == "up.sql" ? record::Side::up : record::Side::down, std::move(side));
    }
  }
  return {};
}

Fit fits(const Folder& folder) {
  const auto& entries = folder.entries();
  const auto fitting = [&](const Entry& entry) { return is_migration(folder, entry); };
  if (std::none_of(entries.begin(), entries.end(), fitting)) return {};
  const std::string config = config_above(folder);
  if (!config.empty()) return {Fit::How::sure, config};
  return {Fit::How::if_named, ""};
}

Result<History> load(const Folder& folder) {
  Pairing pairing(folder, read_hasura,
                  [](std::vector<Migration>& migrations) { sort_by_version(migrations); });
  for (const Entry& entry : folder.entries()) {
    if (!entry.is_directory) {
      pairing.leave(entry, "not in a folder of its own");
    } else if (!is_named(entry.name)) {
      pairing.leave(entry, "not named <number>_<name>");
    } else if (const auto taken = take_folder(pairing, folder, entry); !taken) {
      return failed(taken);
    }
  }
  auto history = std::move(pairing).finish();
  if (history) history->habits.late = Habits::Late::applied;
  return history;
}

}  // namespace

Format format() {
  return {"hasura", "migrations/<database>/<number>_<name>/up.sql and down.sql, below a config.yaml", fits,
          load};
}

}  // namespace lockkeeper::history::formats::hasura
