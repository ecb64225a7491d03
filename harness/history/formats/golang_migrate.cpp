#include "history/formats/golang_migrate.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "history/bookkeeping.h"
#include "history/evidence.h"
#include "history/pairing.h"

namespace lockkeeper::history::formats::golang_migrate {

namespace {

/// Versions are unsigned numbers of 64 bits to it (source/parse.go); a file with a larger one is no
/// migration.
bool fits_64_bits(const std::string& version) {
  return !number_less("18446744073709551615", version);
}

std::optional<NumberedSide> parse(const std::string& file) {
  auto side = numbered_side(file);
  return side && fits_64_bits(side->file.version) ? std::move(side) : std::nullopt;
}

Result<sql::Script> read_golang_migrate(const Migration& migration, record::Side side) {
  return script_of(whole_file(path_of_side(migration, side), migration.dialect,
                              migration.dialect == sql::Dialect::sqlite
                                  ? record::TransactionShape::one_transaction
                                  : record::TransactionShape::autocommit,
                              "golang-migrate"));
}

constexpr std::string_view k_create =
    "CREATE TABLE IF NOT EXISTS public.schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean "
    "NOT NULL)";

// database/sqlite3/sqlite3.go: ensureVersionTable
constexpr std::string_view k_create_sqlite =
    "CREATE TABLE IF NOT EXISTS schema_migrations (version uint64,dirty bool); CREATE UNIQUE INDEX IF NOT "
    "EXISTS "
    "version_unique ON schema_migrations (version)";

/// A down leaves the version before it, the first one nothing.
std::shared_ptr<const Bookkeeping> bookkeeping(const std::vector<Migration>& migrations,
                                               sql::Dialect dialect) {
  const bool sqlite = dialect == sql::Dialect::sqlite;
  const std::string table = sqlite ? "schema_migrations" : "public.schema_migrations";
  return books(table, std::string(sqlite ? k_create_sqlite : k_create),
               [before = versions_before(migrations), table, clear = sqlite ? "DELETE FROM" : "TRUNCATE"](
                   const Migration& migration, record::Side side) {
                 const std::string version =
                     side == record::Side::up ? migration.version : before.at(migration.version);
                 std::string note = fmt::format("{} {}", clear, table);
                 if (!version.empty())
                   note += fmt::format("; INSERT INTO {} VALUES ({}, false)", table, version);
                 return note;
               });
}

Fit fits(const Folder& folder) {
  const auto& entries = folder.entries();
  const auto fitting = [](const Entry& entry) {
    return !entry.is_directory && parse(entry.name).has_value();
  };
  if (std::none_of(entries.begin(), entries.end(), fitting)) return {};
  const std::string module = go_module_requiring(folder, {"github.com/golang-migrate/migrate"});
  if (!module.empty()) return {Fit::How::sure, fmt::format("{} requires golang-migrate", module)};
  return {Fit::How::if_named, ""};
}

Result<History> load(const Folder& folder) {
  Pairing pairing(folder, read_golang_migrate, [](auto& migrations) { sort_by_version(migrations); });
  for (const Entry& entry : folder.entries()) {
    auto named = entry.is_directory ? std::nullopt : parse(entry.name);
    if (!named) {
      pairing.leave(entry, entry.is_directory ? "a folder" : "not named <number>_<name>.up.sql or .down.sql");
    } else if (!entry.name.ends_with(".sql")) {
      pairing.leave(entry, "golang-migrate takes it, but it is no .sql file");
    } else {
      pairing.take(named->side, std::move(named->file));
    }
  }
  auto history = std::move(pairing).finish();
  if (!history) return history;
  history->bookkeeping = bookkeeping(history->migrations, folder.dialect());
  history->habits.late = Habits::Late::skipped;
  return history;
}

}  // namespace

Format format() {
  return {"golang-migrate", "<number>_<name>.up.sql and <number>_<name>.down.sql", fits, load, true};
}

}  // namespace lockkeeper::history::formats::golang_migrate
