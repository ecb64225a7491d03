#include "history/formats/sqlx.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "history/bookkeeping.h"
#include "history/evidence.h"
#include "history/pairing.h"

namespace lockkeeper::history::formats::sqlx {

namespace {

constexpr std::string_view k_no_transaction = "-- no-transaction";

/// What stands before the first '_' of a file that sqlx looks at; none for others.
std::optional<std::string> prefix_of(const Entry& entry) {
  const std::size_t at = entry.name.find('_');
  if (entry.is_directory || at == std::string::npos || !entry.name.ends_with(".sql")) return std::nullopt;
  return entry.name.substr(0, at);
}

/// Versions are numbers of 64 bits with a sign.
bool is_version(const std::string& prefix) {
  return is_number(prefix) && !number_less("9223372036854775807", prefix);
}

SideFile named(const std::string& version, const std::string& file, std::string_view suffix) {
  SideFile side;
  side.version = version;
  side.name = file.substr(version.size() + 1, file.size() - version.size() - 1 - suffix.size());
  side.file = file;
  side.key = number_key(version);
  return side;
}

void take(Pairing& pairing, const Entry& entry, const std::string& version) {
  const std::string_view rest = std::string_view(entry.name).substr(version.size() + 1);
  if (rest.ends_with(".up.sql")) {
    pairing.take(record::Side::up, named(version, entry.name, ".up.sql"));
  } else if (rest.ends_with(".down.sql")) {
    pairing.take(record::Side::down, named(version, entry.name, ".down.sql"));
  } else {
    pairing.take(record::Side::up, named(version, entry.name, ".sql"));
  }
}

Result<sql::Script> read_sqlx(const Migration& migration, record::Side side) {
  const std::string& path = path_of_side(migration, side);
  const bool alone = begins_with(path, k_no_transaction);
  auto part = whole_file(
      path, migration.dialect,
      alone ? record::TransactionShape::autocommit : record::TransactionShape::one_transaction, "sqlx");
  if (part && alone && part->shape_reason.empty()) part->shape_reason = "-- no-transaction at 1:1";
  return script_of(std::move(part));
}

std::string note(const Migration& migration, record::Side side) {
  const std::string table = own_table("_sqlx_migrations", migration.dialect);
  if (side == record::Side::down)
    return fmt::format("DELETE FROM {} WHERE version = {}", table, migration.version);
  std::string description = migration.name;
  std::ranges::replace(description, '_', ' ');
  return fmt::format(
      "INSERT INTO {} (version, description, success, checksum, execution_time) VALUES ({}, {}, true, '', "
      "-1)",
      table, migration.version, literal(description));
}

/// sqlx-sqlite/src/migrate.rs: ensure_migrations_table
std::shared_ptr<const Bookkeeping> sqlite_bookkeeping() {
  return books(
      "_sqlx_migrations",
      "CREATE TABLE IF NOT EXISTS _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, "
      "installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB "
      "NOT NULL, execution_time BIGINT NOT NULL)",
      note);
}

std::shared_ptr<const Bookkeeping> bookkeeping(sql::Dialect dialect) {
  if (dialect == sql::Dialect::sqlite) return sqlite_bookkeeping();
  return books("public._sqlx_migrations",
               "CREATE TABLE IF NOT EXISTS public._sqlx_migrations (version bigint PRIMARY KEY, description "
               "text NOT NULL, installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, "
               "checksum bytea NOT NULL, execution_time bigint NOT NULL)",
               note);
}

Fit fits(const Folder& folder) {
  const auto& entries = folder.entries();
  const auto fitting = [](const Entry& entry) {
    const auto prefix = prefix_of(entry);
    return prefix && is_version(*prefix);
  };
  if (std::none_of(entries.begin(), entries.end(), fitting)) return {};
  if (const auto config = folder.above("sqlx.toml")) return {Fit::How::sure, *config};
  const std::string cargo = cargo_manifest_naming(folder, {"sqlx"});
  if (!cargo.empty()) return {Fit::How::sure, fmt::format("{} names sqlx", cargo)};
  const std::string file = folder.first_beginning_with(k_no_transaction);
  if (!file.empty()) return {Fit::How::sure, fmt::format("'{}' in {}", k_no_transaction, file)};
  return {Fit::How::if_named, ""};
}

Result<History> load(const Folder& folder) {
  Pairing pairing(folder, read_sqlx, [](std::vector<Migration>& migrations) { sort_by_version(migrations); });
  pairing.leave_lone_downs("a down without its up, which sqlx never runs");
  for (const Entry& entry : folder.entries()) {
    const auto prefix = prefix_of(entry);
    if (!prefix) {
      pairing.leave(entry, entry.is_directory ? "a folder" : "not named <number>_<name>.sql");
    } else if (!is_version(*prefix)) {
      pairing.faults().add(
          folder.path_of(entry.name),
          fmt::format("sqlx refuses '{}': '{}' is no number", entry.name, abridged(*prefix, 40)),
          "name it <number>_<name>.sql, or move it elsewhere");
    } else {
      take(pairing, entry, *prefix);
    }
  }
  const bool has_downs = pairing.has_downs();
  auto history = std::move(pairing).finish();
  if (!history) return history;
  history->has_down = has_downs;
  history->bookkeeping = bookkeeping(folder.dialect());
  // sqlx-sqlite/src/options/mod.rs: on in every connection that it opens.
  if (folder.dialect() == sql::Dialect::sqlite) history->session_settings["foreign_keys"] = "on";
  history->habits.keeps_checksums = true;
  history->habits.when_edited = "sqlx keeps a checksum of each, and refuses to go on";
  history->habits.late = Habits::Late::applied;
  return history;
}

}  // namespace

Format format() {
  return {"sqlx", "<number>_<name>.sql, or <number>_<name>.up.sql and .down.sql, beside a Cargo.toml", fits,
          load, true};
}

}  // namespace lockkeeper::history::formats::sqlx
