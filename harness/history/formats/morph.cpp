#include "history/formats/morph.h"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "history/bookkeeping.h"
#include "history/evidence.h"
#include "history/pairing.h"

namespace lockkeeper::history::formats::morph {

namespace {

constexpr std::string_view k_nontransactional = "-- morph:nontransactional";

Result<sql::Script> read_morph(const Migration& migration, record::Side side) {
  const std::string& path = path_of_side(migration, side);
  const bool alone = begins_with(path, k_nontransactional);
  auto part = whole_file(
      path, migration.dialect,
      alone ? record::TransactionShape::autocommit : record::TransactionShape::one_transaction, "morph");
  if (part && alone && part->shape_reason.empty()) part->shape_reason = "-- morph:nontransactional at 1:1";
  return script_of(std::move(part));
}

/// drivers/postgres/postgres.go and drivers/sqlite/sqlite.go: createSchemaTableIfNotExists
std::shared_ptr<const Bookkeeping> bookkeeping(sql::Dialect dialect) {
  const std::string table = own_table("db_migrations", dialect);
  return books(
      table,
      fmt::format(
          "CREATE TABLE IF NOT EXISTS {} (version bigint NOT NULL PRIMARY KEY, name varchar NOT NULL)",
          table),
      [table](const Migration& migration, record::Side side) {
        const std::string name = literal(migration.name);
        return side == record::Side::up ? fmt::format("INSERT INTO {} (version, name) VALUES ({}, {})", table,
                                                      migration.version, name)
                                        : fmt::format("DELETE FROM {} WHERE version = {} AND name = {}",
                                                      table, migration.version, name);
      });
}

Fit fits(const Folder& folder) {
  const auto& entries = folder.entries();
  const auto fitting = [](const Entry& entry) { return !entry.is_directory && numbered_side(entry.name); };
  if (std::none_of(entries.begin(), entries.end(), fitting)) return {};
  const std::string module = go_module_requiring(folder, {"github.com/mattermost/morph"});
  if (!module.empty()) return {Fit::How::sure, fmt::format("{} requires morph", module)};
  const std::string file = folder.first_beginning_with(k_nontransactional);
  if (!file.empty()) return {Fit::How::sure, fmt::format("'{}' in {}", k_nontransactional, file)};
  return {Fit::How::if_named, ""};
}

/// Names of the ups by number, to find downs that morph would not find.
std::map<std::string, std::string> names_of_ups(const Folder& folder) {
  std::map<std::string, std::string> names;
  for (const Entry& entry : folder.entries()) {
    const auto named = entry.is_directory ? std::nullopt : numbered_side(entry.name);
    if (named && named->side == record::Side::up) names.emplace(named->file.key, named->file.name);
  }
  return names;
}

void take(Pairing& pairing, const Folder& folder, const Entry& entry,
          const std::map<std::string, std::string>& ups) {
  auto named = numbered_side(entry.name);
  if (!named && !entry.name.ends_with(".sql")) {
    pairing.leave(entry, "no .sql file: morph refuses it, unless the program embeds *.sql only");
    return;
  }
  if (!named) {
    pairing.faults().add(
        folder.path_of(entry.name),
        fmt::format("morph refuses '{}': not named <number>_<name>.up.sql or .down.sql", entry.name),
        "name it so, or move it elsewhere");
    return;
  }
  if (!entry.name.ends_with(".sql")) {
    pairing.leave(entry, "morph takes it, but it is no .sql file");
    return;
  }
  const auto up = ups.find(named->file.key);
  if (named->side == record::Side::down && up != ups.end() && up->second != named->file.name) {
    pairing.leave(entry, fmt::format("its up is named '{}', and morph pairs by name", up->second));
    return;
  }
  pairing.take(named->side, std::move(named->file));
}

Result<History> load(const Folder& folder) {
  Pairing pairing(folder, read_morph, [](std::vector<Migration>& migrations) {
    std::ranges::sort(migrations, {}, &Migration::up_path);
  });
  pairing.leave_lone_downs("a down without its up, which morph never runs");
  const auto ups = names_of_ups(folder);
  for (const Entry& entry : folder.entries()) {
    if (entry.is_directory) {
      pairing.leave(entry, "a folder, of which morph would take the files too");
    } else {
      take(pairing, folder, entry, ups);
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
  return {"morph", "<number>_<name>.up.sql and <number>_<name>.down.sql, beside a go.mod", fits, load, true};
}

}  // namespace lockkeeper::history::formats::morph
