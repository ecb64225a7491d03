#include "history/formats/maragudk.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "history/bookkeeping.h"
#include "history/evidence.h"
#include "history/pairing.h"

namespace lockkeeper::history::formats::maragudk {

namespace {

constexpr std::string_view k_up = ".up.sql";
constexpr std::string_view k_down = ".down.sql";

bool is_version(std::string_view text) {
  constexpr std::string_view k_allowed = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-";
  return !text.empty() && text.find_first_not_of(k_allowed) == std::string_view::npos;
}

struct Named {
  record::Side side = record::Side::up;
  std::string version;
};

std::optional<Named> parse(const Entry& entry) {
  const bool up = entry.name.ends_with(k_up);
  if (entry.is_directory || (!up && !entry.name.ends_with(k_down))) return std::nullopt;
  Named named;
  named.side = up ? record::Side::up : record::Side::down;
  named.version = entry.name.substr(0, entry.name.size() - (up ? k_up : k_down).size());
  if (!is_version(named.version)) return std::nullopt;
  return named;
}

Result<sql::Script> read_maragudk(const Migration& migration, record::Side side) {
  return script_of(whole_file(path_of_side(migration, side), migration.dialect,
                              record::TransactionShape::one_transaction, "maragudk/migrate"));
}

std::shared_ptr<const Bookkeeping> bookkeeping(const std::vector<Migration>& migrations,
                                               sql::Dialect dialect) {
  const std::string table = own_table("migrations", dialect);
  return books(
      table,
      fmt::format("CREATE TABLE IF NOT EXISTS {0} (version text NOT NULL); INSERT INTO {0} SELECT '' "
                  "WHERE NOT EXISTS (SELECT 1 FROM {0})",
                  table),
      [before = versions_before(migrations), table](const Migration& migration, record::Side side) {
        return fmt::format(
            "UPDATE {} SET version = {}", table,
            literal(side == record::Side::up ? migration.version : before.at(migration.version)));
      });
}

Fit fits(const Folder& folder) {
  const auto& entries = folder.entries();
  if (std::none_of(entries.begin(), entries.end(), [](const Entry& entry) { return parse(entry); }))
    return {};
  const std::string module =
      go_module_requiring(folder, {"maragu.dev/migrate", "github.com/maragudk/migrate"});
  if (!module.empty()) return {Fit::How::sure, fmt::format("{} requires maragudk/migrate", module)};
  return {Fit::How::if_named, ""};
}

Result<History> load(const Folder& folder) {
  Pairing pairing(folder, read_maragudk, [](std::vector<Migration>& migrations) {
    std::ranges::sort(migrations, {}, &Migration::up_path);
  });
  for (const Entry& entry : folder.entries()) {
    const auto named = parse(entry);
    if (named) {
      SideFile side;
      side.version = named->version;
      side.file = entry.name;
      pairing.take(named->side, std::move(side));
    } else {
      pairing.leave(entry,
                    entry.is_directory ? "a folder" : "not named <version>-<name>.up.sql or .down.sql");
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
  return {"maragudk-migrate", "<version>-<name>.up.sql and <version>-<name>.down.sql, beside a go.mod", fits,
          load, true};
}

}  // namespace lockkeeper::history::formats::maragudk
