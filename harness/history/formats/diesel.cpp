#include "history/formats/diesel.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "base/file.h"
#include "history/bookkeeping.h"
#include "history/evidence.h"
#include "history/lines.h"
#include "history/pairing.h"

namespace lockkeeper::history::formats::diesel {

namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// 2024-12-04-173106_name, 2024-12-04-173106-0000_name.
bool is_dated(std::string_view name) {
  constexpr std::string_view k_form = "0000-00-00-000000";
  const auto like = [](char form, char c) { return form == '0' ? c >= '0' && c <= '9' : c == form; };
  if (name.size() <= k_form.size() || !std::equal(k_form.begin(), k_form.end(), name.begin(), like))
    return false;
  name.remove_prefix(k_form.size());
  if (name.starts_with('-'))
    name.remove_prefix(std::min(name.find_first_not_of("0123456789", 1), name.size()));
  return name.starts_with('_');
}

bool is_migration(const Folder& folder, const Entry& entry) {
  return entry.is_directory && !is_hidden(entry.name) &&
         is_file(fs::path(folder.path_of(entry.name)) / "up.sql");
}

/// Whether metadata.toml lets the migration run in a transaction. The key counts as false where the file does
/// not have it.
bool runs_in_transaction(const std::string& metadata) {
  if (!is_file(metadata)) return true;
  const auto text = read_file(metadata);
  if (!text) return true;
  Lines lines(*text);
  while (lines.next()) {
    std::string_view line = lines.line().text;
    line = stripped(line.substr(0, line.find('#')));
    const std::size_t equals = line.find('=');
    if (equals != std::string_view::npos && stripped(line.substr(0, equals)) == "run_in_transaction")
      return stripped(line.substr(equals + 1)) == "true";
  }
  return false;
}

Result<sql::Script> read_diesel(const Migration& migration, record::Side side) {
  const std::string& path = path_of_side(migration, side);
  const bool transaction =
      runs_in_transaction((fs::path(migration.up_path).parent_path() / "metadata.toml").string());
  auto part = whole_file(
      path, migration.dialect,
      transaction ? record::TransactionShape::one_transaction : record::TransactionShape::autocommit,
      "diesel");
  if (part && !transaction && part->shape_reason.empty())
    part->shape_reason = "metadata.toml has no run_in_transaction = true";
  return script_of(std::move(part));
}

/// Name and version of a folder, as it is written.
SideFile named(const std::string& directory, const std::string& file) {
  SideFile side = side_file(directory, fmt::format("{}/{}", directory, file));
  side.key = without_dashes(side.version);
  return side;
}

Result<void> take_folder(Pairing& pairing, const Folder& folder, const Entry& entry) {
  const auto files = list(folder.path_of(entry.name));
  if (!files) return failed(files);
  if (files->empty()) {
    pairing.leave(entry, "an empty folder");
    return {};
  }
  const fs::path path = folder.path_of(entry.name);
  if (!is_file(path / "up.sql")) {
    pairing.faults().add(path.string(), fmt::format("diesel refuses '{}/': it has no up.sql", entry.name),
                         "a migration is a folder with up.sql and down.sql; keep other folders elsewhere");
    return {};
  }
  std::error_code ignored;
  if (fs::file_size(path / "up.sql", ignored) == 0) {
    pairing.faults().add((path / "up.sql").string(),
                         fmt::format("diesel refuses '{}/up.sql': it is empty", entry.name),
                         "a comment is enough for diesel");
  }
  for (const Entry& file : *files) {
    if (!file.is_directory && (file.name == "up.sql" || file.name == "down.sql")) {
      pairing.take(file.name == "up.sql" ? record::Side::up : record::Side::down,
                   named(entry.name, file.name));
    } else if (file.name != "metadata.toml") {
      pairing.leave_file(fmt::format("{}/{}", entry.name, file.name), "neither up.sql nor down.sql");
    }
  }
  return {};
}

std::shared_ptr<const Bookkeeping> bookkeeping(sql::Dialect dialect) {
  const std::string table = own_table("__diesel_schema_migrations", dialect);
  return books(table,
               fmt::format("CREATE TABLE IF NOT EXISTS {} (version varchar(50) PRIMARY KEY NOT NULL, run_on "
                           "timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP)",
                           table),
               [table](const Migration& migration, record::Side side) {
                 const std::string version = literal(without_dashes(migration.version));
                 return side == record::Side::up
                            ? fmt::format("INSERT INTO {} (version) VALUES ({})", table, version)
                            : fmt::format("DELETE FROM {} WHERE version = {}", table, version);
               });
}

Fit fits(const Folder& folder) {
  bool any = false;
  for (const Entry& entry : folder.entries()) {
    if (!is_migration(folder, entry)) continue;
    any = true;
    const bool telling = is_dated(entry.name) || entry.name == "00000000000000_diesel_initial_setup";
    if (telling) return {Fit::How::sure, fmt::format("'{}/'", entry.name)};
    if (is_file(fs::path(folder.path_of(entry.name)) / "metadata.toml"))
      return {Fit::How::sure, fmt::format("'{}/metadata.toml'", entry.name)};
  }
  if (!any) return {};
  if (const auto config = folder.above("diesel.toml")) return {Fit::How::sure, *config};
  const std::string cargo = cargo_manifest_naming(folder, {"diesel", "diesel_migrations", "diesel-async"});
  if (!cargo.empty()) return {Fit::How::sure, fmt::format("{} names diesel", cargo)};
  return {Fit::How::if_named, ""};
}

Result<History> load(const Folder& folder) {
  Pairing pairing(folder, read_diesel, [](std::vector<Migration>& migrations) {
    std::ranges::sort(migrations, {}, [](const Migration& one) { return without_dashes(one.version); });
  });
  for (const Entry& entry : folder.entries()) {
    if (is_hidden(entry.name)) {
      pairing.leave(entry, "hidden");
    } else if (!entry.is_directory) {
      pairing.leave(entry, "not in a folder of its own");
    } else if (const auto taken = take_folder(pairing, folder, entry); !taken) {
      return failed(taken);
    }
  }
  auto history = std::move(pairing).finish();
  if (!history) return history;
  history->bookkeeping = bookkeeping(folder.dialect());
  history->habits.late = Habits::Late::applied;
  return history;
}

}  // namespace

Format format() {
  return {"diesel", "<date>_<name>/up.sql and <date>_<name>/down.sql", fits, load, true};
}

}  // namespace lockkeeper::history::formats::diesel
