#include "history/formats/plain.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "history/pairing.h"
#include "sql/kind.h"

namespace lockkeeper::history::formats::plain {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view k_up = ".up.sql";
constexpr std::string_view k_down = ".down.sql";
using Names = std::vector<std::string_view>;

/// How names of files say which dialect they are for.
const Names& names_of(sql::Dialect dialect) {
  static const Names k_postgres = {".postgres", ".postgresql", ".pg"};
  static const Names k_sqlite = {".sqlite", ".sqlite3"};
  return dialect == sql::Dialect::sqlite ? k_sqlite : k_postgres;
}

const Names& names_of_others() {
  static const Names k_others = {".mysql", ".mariadb",   ".cockroach", ".cockroachdb",
                                 ".mssql", ".sqlserver", ".oracle"};
  return k_others;
}

bool is_side(const Entry& entry) {
  return !entry.is_directory && !is_hidden(entry.name) &&
         (entry.name.ends_with(k_up) || entry.name.ends_with(k_down));
}

/// The one of these that a name ends in.
std::optional<std::string_view> ending_of(std::string_view stem, const Names& names) {
  for (const std::string_view name : names) {
    if (stem.ends_with(name)) return name;
  }
  return std::nullopt;
}

std::optional<std::string_view> foreign_ending(std::string_view stem, sql::Dialect ours) {
  const bool sqlite = ours == sql::Dialect::sqlite;
  const auto other = ending_of(stem, names_of(sqlite ? sql::Dialect::postgres : sql::Dialect::sqlite));
  return other ? other : ending_of(stem, names_of_others());
}

std::string_view stem_of(std::string_view file) {
  return file.substr(0, file.size() - (file.ends_with(k_up) ? k_up : k_down).size());
}

SideFile plain_side(std::string_view stem, std::string file, sql::Dialect dialect) {
  const auto ending = ending_of(stem, names_of(dialect));
  if (ending) stem.remove_suffix(ending->size());
  SideFile side = side_file(stem, std::move(file));
  side.preferred = ending.has_value();
  side.preferred_because = fmt::format("is the one for {}", to_string(dialect));
  return side;
}

/// SQLite where files are named for it and none is for PostgreSQL or for whichever.
std::optional<sql::Dialect> dialect_said(const Folder& folder) {
  bool any = false;
  for (const Entry& entry : folder.entries()) {
    if (!is_side(entry) || ending_of(stem_of(entry.name), names_of_others())) continue;
    if (!ending_of(stem_of(entry.name), names_of(sql::Dialect::sqlite))) return std::nullopt;
    any = true;
  }
  return any ? std::optional(sql::Dialect::sqlite) : std::nullopt;
}

std::string reason(const sql::Statement& statement) {
  return fmt::format("{} at {}:{}", sql::headline(statement.text), statement.location.line,
                     statement.location.column);
}

/// A file with its own BEGIN or COMMIT decides by itself; wrapped into a transaction of ours, its COMMIT
/// would end that one, and what follows it would run without any.
void decide_shape(sql::Part& part) {
  part.may_leave_transaction = true;
  for (const sql::Statement& statement : part.statements) {
    if (statement.kind == sql::StatementKind::begin || statement.kind == sql::StatementKind::end) {
      part.shape = record::TransactionShape::own_transactions;
      part.shape_reason = reason(statement);
      return;
    }
  }
  for (const sql::Statement& statement : part.statements) {
    if (statement.kind == sql::StatementKind::no_transaction) {
      part.shape = record::TransactionShape::autocommit;
      part.shape_reason = reason(statement);
      return;
    }
  }
}

Result<sql::Script> read_plain(const Migration& migration, record::Side side) {
  auto source = read_source(path_of_side(migration, side), migration.dialect);
  if (!source) return failed(source);
  auto part =
      sql::statement_by_statement(*source, sql::all_of(**source), record::TransactionShape::one_transaction);
  if (part) decide_shape(*part);
  return script_of(std::move(part));
}

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

bool holds_a_side(const Folder& folder, const Entry& entry) {
  const fs::path path = folder.path_of(entry.name);
  return entry.is_directory && !is_hidden(entry.name) &&
         (is_file(path / "up.sql") || is_file(path / "down.sql"));
}

Result<void> take_folder(Pairing& pairing, const Folder& folder, const Entry& entry) {
  const Result<std::vector<Entry>> files = list(folder.path_of(entry.name));
  if (!files) return failed(files);
  for (const Entry& file : *files) {
    const std::string relative = fmt::format("{}/{}", entry.name, file.name);
    const bool up = file.name == "up.sql";
    if (file.is_directory || (!up && file.name != "down.sql")) {
      pairing.leave_file(relative, "neither up.sql nor down.sql");
      continue;
    }
    pairing.take(up ? record::Side::up : record::Side::down, side_file(entry.name, relative));
  }
  return {};
}

Fit plain_fits(const Folder& folder) {
  const auto& entries = folder.entries();
  const auto side = std::find_if(entries.begin(), entries.end(), is_side);
  if (side == entries.end()) return {};
  return {Fit::How::possible, fmt::format("'{}'", side->name), dialect_said(folder)};
}

Result<History> load_plain(const Folder& folder) {
  Pairing pairing(folder, read_plain, [](auto& migrations) { sort_by_version(migrations); });
  for (const Entry& entry : folder.entries()) {
    if (!is_side(entry)) {
      pairing.leave(entry, why_not_plain(entry));
      continue;
    }
    const bool up = entry.name.ends_with(k_up);
    const std::string_view stem = stem_of(entry.name);
    if (const auto foreign = foreign_ending(stem, folder.dialect())) {
      pairing.leave(entry, fmt::format("for another dialect, {}", foreign->substr(1)));
      continue;
    }
    SideFile side = plain_side(stem, entry.name, folder.dialect());
    if (side.version.empty()) {
      pairing.leave(entry, "no version before the first '_'");
      continue;
    }
    pairing.take(up ? record::Side::up : record::Side::down, std::move(side));
  }
  return std::move(pairing).finish();
}

Fit plain_folders_fits(const Folder& folder) {
  const auto& entries = folder.entries();
  const auto side = std::find_if(entries.begin(), entries.end(),
                                 [&](const Entry& entry) { return holds_a_side(folder, entry); });
  if (side == entries.end()) return {};
  return {Fit::How::possible, fmt::format("'{}/'", side->name)};
}

Result<History> load_plain_folders(const Folder& folder) {
  Pairing pairing(folder, read_plain,
                  [](auto& migrations) { sort_by_version(migrations, NumberOrder::dates_as_text); });
  for (const Entry& entry : folder.entries()) {
    if (is_hidden(entry.name)) {
      pairing.leave(entry, "hidden");
    } else if (!entry.is_directory) {
      pairing.leave(entry, "not in a folder of its own");
    } else if (!holds_a_side(folder, entry)) {
      pairing.leave(entry, "a folder without up.sql");
    } else if (entry.name.starts_with('_')) {
      pairing.leave(entry, "no version before the first '_'");
    } else if (const Result<void> taken = take_folder(pairing, folder, entry); !taken) {
      return failed(taken);
    }
  }
  return std::move(pairing).finish();
}

}  // namespace

Format files() {
  return {"plain", "<version>_<name>.up.sql and <version>_<name>.down.sql", plain_fits, load_plain, true};
}

Format folders() {
  return {"plain-folders", "<version>_<name>/up.sql and <version>_<name>/down.sql", plain_folders_fits,
          load_plain_folders, true};
}

}  // namespace lockkeeper::history::formats::plain
