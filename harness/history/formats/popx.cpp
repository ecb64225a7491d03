#include "history/formats/popx.h"

#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "history/bookkeeping.h"
#include "history/evidence.h"
#include "history/faults.h"
#include "history/pairing.h"

namespace lockkeeper::history::formats::popx {

namespace {

using record::Side;

constexpr std::size_t k_date_digits = 14;

/// One file, by the parts of its name.
struct Step {
  std::string version;
  std::string name;
  std::string dialect;  ///< empty: for all
  bool autocommit = false;
  Side side = Side::up;
  std::string file;
};

bool cut_end(std::string_view& text, std::string_view end) {
  if (!text.ends_with(end)) return false;
  text.remove_suffix(end.size());
  return true;
}

std::optional<Step> parse(const std::string& file) {
  Step step;
  step.file = file;
  std::string_view stem = file;
  step.side = stem.ends_with(".up.sql") ? Side::up : Side::down;
  if (!cut_end(stem, ".up.sql") && !cut_end(stem, ".down.sql")) return std::nullopt;
  step.autocommit = cut_end(stem, ".autocommit");
  const std::size_t digits = stem.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string_view::npos || stem[digits] != '_') return std::nullopt;
  step.version = stem.substr(0, digits);
  stem.remove_prefix(digits + 1);
  const std::size_t dot = stem.find('.');
  step.name = stem.substr(0, dot);
  if (dot != std::string_view::npos) step.dialect = stem.substr(dot + 1);
  const bool dialect =
      step.dialect.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string::npos;
  if (step.name.empty() || !dialect || (dot != std::string_view::npos && step.dialect.empty()))
    return std::nullopt;
  return step;
}

bool is_ours(const std::string& dialect, sql::Dialect ours) {
  if (dialect.empty()) return true;
  if (ours == sql::Dialect::sqlite) return dialect == "sqlite" || dialect == "sqlite3";
  return dialect == "postgres" || dialect == "postgresql" || dialect == "pg";
}

/// Steps that have more digits than a date and time are steps of one migration.
std::string group_of(const std::string& version) {
  return version.size() > k_date_digits ? version.substr(0, k_date_digits) : version;
}

using Steps = std::map<std::string, Step>;  ///< by version

Result<sql::Part> part_of(const std::string& path, sql::Dialect dialect, bool autocommit) {
  auto part = whole_file(
      path, dialect,
      autocommit ? record::TransactionShape::autocommit : record::TransactionShape::one_transaction, "popx");
  if (!part) return part;
  const sql::Source& source = *part->sources.front();
  if (const std::size_t at = source.text().find("{{"); at != std::string_view::npos) {
    return failed(FailureKind::usage, fmt::format("cannot read '{}': a template, which popx fills in", path),
                  "write the SQL out for PostgreSQL in a file of its own: <version>_<name>.postgres.up.sql",
                  source.locate(at));
  }
  if (autocommit && part->shape_reason.empty()) part->shape_reason = "autocommit in its name";
  return part;
}

/// The files of one migration, for the time when it is read.
struct Files {
  std::vector<std::pair<std::string, bool>> up;  ///< paths, and whether each is autocommit
  std::vector<std::pair<std::string, bool>> down;
};

Result<sql::Script> read_popx(const Files& files, sql::Dialect dialect, Side side) {
  sql::Script script;
  for (const auto& [path, autocommit] : side == Side::up ? files.up : files.down) {
    auto part = part_of(path, dialect, autocommit);
    if (!part) return failed(part);
    script.parts.push_back(std::move(*part));
  }
  return script;
}

/// Reads the folder, then makes the migrations of it.
class Reader {
 public:
  explicit Reader(const Folder& folder) : m_folder(folder), m_faults(folder.path()) {
    m_history.directory = folder.path();
  }

  Result<History> read();

 private:
  void leave(const Entry& entry, std::string_view reason) {
    m_history.not_taken.push_back(left_file(entry, reason));
  }
  void take(const Entry& entry);
  void take(const Entry& entry, Step step);
  void check();
  Migration migration(const std::string& group, const std::vector<const Step*>& steps) const;

  const Folder& m_folder;
  Faults m_faults;
  History m_history;
  Steps m_ups;
  Steps m_downs;
  std::map<std::string, std::vector<std::string>> m_versions;  ///< of the steps of each group
};

void Reader::take(const Entry& entry, Step step) {
  Steps& steps = step.side == Side::up ? m_ups : m_downs;
  const auto known = steps.find(step.version);
  if (known == steps.end()) {
    steps.emplace(step.version, std::move(step));
    return;
  }
  if (known->second.dialect.empty() == step.dialect.empty()) {
    m_faults.add_duplicate(m_folder.path_of(entry.name), step.version, known->second.file, step.file);
    return;
  }
  if (!step.dialect.empty()) std::swap(known->second, step);
  m_history.not_taken.push_back(
      fmt::format("{}: '{}' is the one for PostgreSQL", step.file, known->second.file));
}

void Reader::take(const Entry& entry) {
  if (entry.is_directory) return leave(entry, "a folder, of which popx would take the files too");
  if (!entry.name.ends_with(".sql")) return leave(entry, "not a .sql file");
  auto step = parse(entry.name);
  if (!step) {
    m_faults.add(m_folder.path_of(entry.name),
                 fmt::format("popx refuses '{}': not named <number>_<name>.up.sql or .down.sql", entry.name),
                 "name it so, or move it elsewhere");
  } else if (!is_ours(step->dialect, m_folder.dialect())) {
    leave(entry, fmt::format("for another dialect, {}", step->dialect));
  } else {
    take(entry, std::move(*step));
  }
}

void Reader::check() {
  for (const auto& [version, up] : m_ups) {
    if (m_downs.contains(version)) continue;
    m_faults.add(m_folder.path_of(up.file), fmt::format("popx refuses '{}': it has no down", up.file),
                 "add the down side; it may be empty");
  }
  for (const auto& [version, down] : m_downs) {
    if (m_ups.contains(version)) continue;
    m_faults.add(m_folder.path_of(down.file), fmt::format("version '{}': a down without its up", version),
                 "add the up side, or remove the file");
  }
}

Migration Reader::migration(const std::string& group, const std::vector<const Step*>& steps) const {
  Files files;
  Migration migration;
  migration.version = steps.size() == 1 ? steps.front()->version : group;
  migration.name = steps.front()->name;
  migration.up_path = m_folder.path_of(steps.front()->file);
  for (const Step* up : steps) {
    const Step& down = m_downs.at(up->version);
    files.up.emplace_back(m_folder.path_of(up->file), up->autocommit);
    files.down.emplace(files.down.begin(), m_folder.path_of(down.file), down.autocommit);
    if (up != steps.front()) migration.further_files.push_back(m_folder.path_of(up->file));
  }
  migration.down_path = files.down.front().first;
  migration.read = [files = std::move(files)](const Migration& one, Side side) {
    return read_popx(files, one.dialect, side);
  };
  return migration;
}

std::shared_ptr<const Bookkeeping> bookkeeping(std::map<std::string, std::vector<std::string>> versions,
                                               sql::Dialect dialect) {
  const std::string table = own_table("schema_migration", dialect);
  return books(
      table,
      fmt::format(
          "CREATE TABLE IF NOT EXISTS {0} (version varchar(48) NOT NULL, version_self int NOT NULL DEFAULT "
          "0); "
          "CREATE UNIQUE INDEX IF NOT EXISTS schema_migration_version_idx ON {0} (version); CREATE INDEX IF "
          "NOT EXISTS schema_migration_version_self_idx ON {0} (version_self)",
          table),
      [versions = std::move(versions), table](const Migration& migration, Side side) {
        std::string note;
        for (const std::string& version : versions.at(migration.version)) {
          if (!note.empty()) note += "; ";
          note += side == Side::up
                      ? fmt::format("INSERT INTO {} (version) VALUES ({})", table, literal(version))
                      : fmt::format("DELETE FROM {} WHERE version = {}", table, literal(version));
        }
        return note;
      });
}

Result<History> Reader::read() {
  for (const Entry& entry : m_folder.entries()) take(entry);
  check();
  if (const auto refused = std::move(m_faults).refuse(m_history); !refused) return failed(refused);
  for (auto at = m_ups.begin(); at != m_ups.end();) {
    const std::string group = group_of(at->first);
    std::vector<const Step*> steps;
    for (; at != m_ups.end() && group_of(at->first) == group; ++at) steps.push_back(&at->second);
    m_history.migrations.push_back(migration(group, steps));
    for (const Step* step : steps) m_versions[m_history.migrations.back().version].push_back(step->version);
  }
  std::ranges::sort(m_history.not_taken);
  m_history.bookkeeping = bookkeeping(std::move(m_versions), m_folder.dialect());
  // pop/dialect_sqlite.go: _fk is true where a connection does not say otherwise.
  if (m_folder.dialect() == sql::Dialect::sqlite) m_history.session_settings["foreign_keys"] = "on";
  m_history.habits.late = Habits::Late::applied;
  return std::move(m_history);
}

Fit fits(const Folder& folder) {
  std::string any;
  for (const Entry& entry : folder.entries()) {
    const auto step = entry.is_directory ? std::nullopt : parse(entry.name);
    if (!step) continue;
    if (step->autocommit) return {Fit::How::sure, fmt::format("'{}'", entry.name)};
    if (step->version.size() >= k_date_digits) any = entry.name;
  }
  if (any.empty()) return {};
  const std::string module = go_module_requiring(folder, {"github.com/ory/x"});
  if (!module.empty()) return {Fit::How::sure, fmt::format("{} requires ory/x", module)};
  return {Fit::How::if_named, ""};
}

Result<History> load(const Folder& folder) {
  return Reader(folder).read();
}

}  // namespace

Format format() {
  return {"popx", "<14 digits>_<name>.<dialect>.up.sql and .down.sql, beside a go.mod", fits, load, true};
}

}  // namespace lockkeeper::history::formats::popx
