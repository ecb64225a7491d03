#include "history/formats/plain.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "base/text.h"
#include "history/pairing.h"
#include "sql/kind.h"

namespace lockkeeper::history::formats::plain {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view k_up = ".up.sql";
constexpr std::string_view k_down = ".down.sql";
constexpr std::array<std::string_view, 3> k_our_dialects = {".postgres", ".postgresql", ".pg"};
constexpr std::array<std::string_view, 9> k_other_dialects = {".mysql",   ".mariadb",   ".sqlite",
                                                              ".sqlite3", ".cockroach", ".cockroachdb",
                                                              ".mssql",   ".sqlserver", ".oracle"};

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

SideFile plain_side(std::string_view stem, std::string file) {
  const auto dialect = dialect_of(stem, k_our_dialects);
  if (dialect) stem.remove_suffix(dialect->size());
  SideFile side = side_file(stem, std::move(file));
  side.preferred = dialect.has_value();
  side.preferred_because = "is the one for PostgreSQL";
  return side;
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
  auto source = read_source(side == record::Side::up ? migration.up_path : *migration.down_path);
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
  return {Fit::How::possible, fmt::format("'{}'", side->name)};
}

Result<History> load_plain(const Folder& folder) {
  Pairing pairing(folder, read_plain, [](auto& migrations) { sort_by_version(migrations); });
  for (const Entry& entry : folder.entries()) {
    if (!is_side(entry)) {
      pairing.leave(entry, why_not_plain(entry));
      continue;
    }
    const bool up = entry.name.ends_with(k_up);
    const std::string_view stem =
        std::string_view(entry.name).substr(0, entry.name.size() - (up ? k_up : k_down).size());
    if (const auto dialect = dialect_of(stem, k_other_dialects)) {
      pairing.leave(entry, fmt::format("for another dialect, {}", dialect->substr(1)));
      continue;
    }
    SideFile side = plain_side(stem, entry.name);
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
  return {"plain", "<version>_<name>.up.sql and <version>_<name>.down.sql", plain_fits, load_plain};
}

Format folders() {
  return {"plain-folders", "<version>_<name>/up.sql and <version>_<name>/down.sql", plain_folders_fits,
          load_plain_folders};
}

}  // namespace lockkeeper::history::formats::plain
