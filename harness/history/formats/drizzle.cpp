#include "history/formats/drizzle.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <set>
#include <system_error>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "history/bookkeeping.h"
#include "history/faults.h"
#include "history/locale_order.h"
#include "history/pairing.h"

namespace lockkeeper::history::formats::drizzle {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using record::Side;

constexpr std::string_view k_breakpoint = "--> statement-breakpoint";
constexpr std::string_view k_journal = "meta/_journal.json";
constexpr std::string_view k_script = "migration.sql";
constexpr std::string_view k_snapshot = "snapshot.json";

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

std::vector<sql::Piece> pieces(std::string_view text) {
  std::vector<sql::Piece> result;
  std::size_t begin = 0;
  for (std::size_t cut = 0; (cut = text.find(k_breakpoint, begin)) != std::string_view::npos;
       begin = cut + k_breakpoint.size()) {
    result.emplace_back(begin, cut);
  }
  result.emplace_back(begin, text.size());
  return result;
}

Result<sql::Script> read_drizzle(const Migration& migration, Side) {
  auto source = read_source(migration.up_path, migration.dialect);
  if (!source) return failed(source);
  return script_of(
      sql::as_messages(*source, pieces((*source)->text()), record::TransactionShape::one_transaction));
}

/// An entry of the journal, or a folder.
struct Entry {
  std::string tag;
  std::string when;  ///< milliseconds, or NULL
};

/// drizzle-orm/src/sqlite-core/dialect.ts: migrate
std::shared_ptr<const Bookkeeping> sqlite_bookkeeping(std::map<std::string, Entry> entries) {
  return books("__drizzle_migrations",
               "CREATE TABLE IF NOT EXISTS __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, "
               "created_at "
               "numeric)",
               [entries = std::move(entries)](const Migration& migration, Side) {
                 const Entry& entry = entries.at(migration.version);
                 return fmt::format("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ({}, {})",
                                    literal(entry.tag), entry.when);
               });
}

std::shared_ptr<const Bookkeeping> bookkeeping(std::map<std::string, Entry> entries, bool named) {
  auto books = std::make_shared<Bookkeeping>();
  books->tables = {"drizzle.__drizzle_migrations"};
  books->create = fmt::format(
      "CREATE SCHEMA IF NOT EXISTS drizzle; CREATE TABLE IF NOT EXISTS drizzle.__drizzle_migrations (id "
      "serial "
      "PRIMARY KEY, hash text NOT NULL, created_at bigint{})",
      named ? ", name text, applied_at timestamptz DEFAULT now()" : "");
  books->note = [entries = std::move(entries), named](const Migration& migration, Side) {
    const Entry& entry = entries.at(migration.version);
    return fmt::format("INSERT INTO drizzle.__drizzle_migrations (hash, created_at{0}) VALUES ({1}, {2}{3})",
                       named ? ", name" : "", literal(entry.tag), entry.when,
                       named ? ", " + literal(entry.tag) : "");
  };
  return books;
}

/// 0003 of 0003_add_users where no other has it, else all of it.
void name_them(std::vector<Migration>& migrations) {
  std::map<std::string, int> count;
  for (const Migration& migration : migrations) ++count[side_file(migration.version, "").version];
  for (Migration& migration : migrations) {
    const SideFile named = side_file(migration.version, "");
    if (count[named.version] > 1 || named.version.empty()) continue;
    migration.version = named.version;
    migration.name = named.name;
  }
}

History history_of(const Folder& folder, std::vector<Migration> migrations, const std::vector<Entry>& entries,
                   bool named) {
  History history;
  history.directory = folder.path();
  history.has_down = false;
  history.all_in_one = true;
  history.habits.late = named ? Habits::Late::applied : Habits::Late::skipped;
  history.habits.when_edited = "Drizzle does not notice: databases that have it keep what it was";
  name_them(migrations);
  std::map<std::string, Entry> by_version;
  for (std::size_t i = 0; i < migrations.size(); ++i) by_version[migrations[i].version] = entries[i];
  history.migrations = std::move(migrations);
  if (folder.dialect() == sql::Dialect::sqlite) {
    history.bookkeeping = sqlite_bookkeeping(std::move(by_version));
    // better-sqlite3 is compiled so (docs/compilation.md: SQLITE_DEFAULT_FOREIGN_KEYS=1).
    history.session_settings["foreign_keys"] = "on";
  } else {
    history.bookkeeping = bookkeeping(std::move(by_version), named);
  }
  return history;
}

Migration migration_of(std::string tag, std::string path) {
  Migration migration;
  migration.version = std::move(tag);
  migration.up_path = std::move(path);
  migration.read = read_drizzle;
  return migration;
}

tl::unexpected<Failure> bad_journal(const std::string& path, const std::string& cause) {
  return failed(FailureKind::usage, fmt::format("Drizzle refuses '{}': {}", path, cause),
                "restore the journal, or let drizzle-kit generate it", Location{path, 0, 0});
}

std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

Result<std::vector<Entry>> journal_of(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return failed(text);
  const Json journal = Json::parse(*text, nullptr, false);
  if (journal.is_discarded() || !journal.is_object()) return bad_journal(path, "it is not JSON");
  const std::string dialect = text_of(journal, "dialect");
  if (!dialect.empty() && dialect != "postgresql" && dialect != "pg" && dialect != "sqlite") {
    return failed(
        FailureKind::usage,
        fmt::format("'{}': the dialect is {}, and migrations are rehearsed on PostgreSQL and SQLite", path,
                    abridged(dialect, 40)),
        "name a folder whose migrations are for one of these", Location{path, 0, 0});
  }
  const auto listed = journal.find("entries");
  if (listed == journal.end() || !listed->is_array()) return bad_journal(path, "it has no list of entries");
  std::vector<Entry> entries;
  for (const Json& one : *listed) {
    const std::string tag = one.is_object() ? text_of(one, "tag") : "";
    if (tag.empty()) return bad_journal(path, fmt::format("entry {} has no tag", entries.size() + 1));
    const auto when = one.find("when");
    // Beyond this a number of JavaScript is no whole one.
    constexpr double k_largest = 9e15;
    const double time = when != one.end() && when->is_number() ? when->get<double>() : -1;
    entries.push_back(
        {tag, time >= 0 && time <= k_largest ? fmt::format("{}", static_cast<std::int64_t>(time)) : "NULL"});
  }
  return entries;
}

/// The files of the folder that the journal does not name, and entries that a database passes over on which
/// those before them are applied.
void leave_others(const Folder& folder, const std::vector<Entry>& entries, History& history) {
  std::set<std::string> taken;
  std::string last = "NULL";
  std::string last_tag;
  for (const Entry& entry : entries) {
    taken.insert(entry.tag + ".sql");
    if (last != "NULL" && entry.when != "NULL" && std::stoll(entry.when) <= std::stoll(last)) {
      history.not_taken.push_back(fmt::format(
          "{}.sql: taken here as on a new database; where '{}' is applied Drizzle passes over it, "
          "since its 'when' in the journal is not later",
          entry.tag, last_tag));
      continue;
    }
    if (entry.when != "NULL") {
      last = entry.when;
      last_tag = entry.tag;
    }
  }
  for (const history::Entry& entry : folder.entries()) {
    if (entry.name == "meta" || taken.contains(entry.name)) continue;
    history.not_taken.push_back(
        left_file(entry, entry.is_directory ? "a folder" : "not in meta/_journal.json"));
  }
  std::ranges::sort(history.not_taken);
}

Fit journal_fits(const Folder& folder) {
  if (!is_file(folder.path_of(k_journal))) return {};
  const Json journal = Json::parse(read_file(folder.path_of(k_journal)).value_or(""), nullptr, false);
  const std::string dialect = journal.is_object() ? text_of(journal, "dialect") : "";
  const auto said = dialect.empty()
                        ? std::nullopt
                        : std::optional(dialect == "sqlite" ? sql::Dialect::sqlite : sql::Dialect::postgres);
  return {Fit::How::sure, std::string(k_journal), said};
}

Result<History> load_journal(const Folder& folder) {
  const auto entries = journal_of(folder.path_of(k_journal));
  if (!entries) return failed(entries);
  Faults faults(folder.path());
  std::vector<Migration> migrations;
  std::set<std::string> seen;
  for (const Entry& entry : *entries) {
    const std::string path = folder.path_of(entry.tag + ".sql");
    if (!is_file(path)) {
      faults.add(path, fmt::format("Drizzle refuses '{}': the journal names it and it is not there", path),
                 "restore the file, or take its entry out of meta/_journal.json");
    } else if (!seen.insert(entry.tag).second) {
      faults.add(path, fmt::format("'{}': the journal names it twice", path), "take one of its entries out");
    } else {
      migrations.push_back(migration_of(entry.tag, path));
    }
  }
  if (!faults.empty()) return std::move(faults).failure();
  History history = history_of(folder, std::move(migrations), *entries, false);
  leave_others(folder, *entries, history);
  return history;
}

bool is_folder_of_one(const Folder& folder, const history::Entry& entry) {
  return entry.is_directory && is_file(fs::path(folder.path_of(entry.name)) / k_script);
}

Fit folders_fits(const Folder& folder) {
  if (folder.has("migration_lock.toml") || is_file(folder.path_of(k_journal))) return {};
  for (const history::Entry& entry : folder.entries()) {
    if (is_folder_of_one(folder, entry) && is_file(fs::path(folder.path_of(entry.name)) / k_snapshot))
      return {Fit::How::sure, fmt::format("'{}/{}' beside {}", entry.name, k_snapshot, k_script)};
  }
  return {};
}

/// Milliseconds of 20240131120000, as drizzle-orm/src/migrator.utils.ts has it.
std::string milliseconds(const std::string& name) {
  const std::string digits = name.substr(0, 14);
  if (digits.size() < 14 || !is_number(digits)) return "NULL";
  return fmt::format("(extract(epoch FROM to_timestamp('{}', 'YYYYMMDDHH24MISS')::timestamp) * 1000)::bigint",
                     digits);
}

Result<History> load_folders(const Folder& folder) {
  std::vector<std::string> names;
  std::vector<std::string> left;
  for (const history::Entry& entry : folder.entries()) {
    if (is_folder_of_one(folder, entry)) {
      names.push_back(entry.name);
    } else {
      left.push_back(left_file(
          entry, entry.is_directory ? "a folder without migration.sql" : "not in a folder of its own"));
    }
  }
  std::ranges::sort(names, locale_less);
  std::vector<Migration> migrations;
  std::vector<Entry> entries;
  for (const std::string& name : names) {
    migrations.push_back(migration_of(name, (fs::path(folder.path_of(name)) / k_script).string()));
    entries.push_back({name, milliseconds(name)});
    const auto files = list(folder.path_of(name));
    if (!files) return failed(files);
    for (const history::Entry& file : *files) {
      if (file.name != k_script && file.name != k_snapshot)
        left.push_back(fmt::format("{}/{}", name, left_file(file, "not migration.sql")));
    }
  }
  History history = history_of(folder, std::move(migrations), entries, true);
  history.not_taken = std::move(left);
  std::ranges::sort(history.not_taken);
  return history;
}

}  // namespace

Format journal() {
  return {"drizzle", "<number>_<name>.sql and meta/_journal.json", journal_fits, load_journal, true};
}

Format folders() {
  return {"drizzle-folders", "<time>_<name>/migration.sql beside snapshot.json", folders_fits, load_folders};
}

}  // namespace lockkeeper::history::formats::drizzle
