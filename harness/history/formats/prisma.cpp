#include "history/formats/prisma.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "history/bookkeeping.h"
#include "history/faults.h"
#include "history/lines.h"
#include "history/locale_order.h"
#include "history/pairing.h"

namespace lockkeeper::history::formats::prisma {

namespace {

namespace fs = std::filesystem;
using record::Side;

constexpr std::string_view k_lock = "migration_lock.toml";
constexpr std::string_view k_script = "migration.sql";
constexpr std::string_view k_down = "down.sql";

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

bool is_migration(const Folder& folder, const Entry& entry) {
  return entry.is_directory && is_file(fs::path(folder.path_of(entry.name)) / k_script);
}

/// As Prisma reads it: of the first line that begins with the word.
std::string provider_of(std::string_view text) {
  for (Lines lines(text); lines.next();) {
    std::string_view line = lines.line().text;
    if (!line.starts_with("provider")) continue;
    line = stripped(line.substr(std::string_view("provider").size()));
    if (line.starts_with('=')) line = stripped(line.substr(1));
    while (line.starts_with('"')) line.remove_prefix(1);
    while (line.ends_with('"')) line.remove_suffix(1);
    return std::string(line);
  }
  return {};
}

Result<sql::Script> read_whole(const Migration& migration, Side side) {
  auto source = read_source(path_of_side(migration, side), migration.dialect);
  if (!source) return failed(source);
  return script_of(
      sql::as_one_message(*source, sql::all_of(**source), record::TransactionShape::autocommit, "Prisma"));
}

Result<sql::Script> read_for_cockroach(const Migration& migration, Side side) {
  auto source = read_source(path_of_side(migration, side), migration.dialect);
  if (!source) return failed(source);
  auto part =
      sql::statement_by_statement(*source, sql::all_of(**source), record::TransactionShape::autocommit);
  if (part) part->shape_reason = "for cockroachdb Prisma turns the transaction of a message off";
  return script_of(std::move(part));
}

/// What Prisma writes down, in the words of the engine.
struct Words {
  std::string_view table;
  std::string_view create;
  std::string_view id;
  std::string_view now;
};

// Without its schema, as Prisma writes it: a script that empties the search path fails here as it does there.
constexpr Words k_postgres_words = {
    "public._prisma_migrations",
    "CREATE TABLE IF NOT EXISTS public._prisma_migrations (id varchar(36) PRIMARY KEY NOT NULL, checksum "
    "varchar(64) NOT NULL, finished_at timestamptz, migration_name varchar(255) NOT NULL, logs text, "
    "rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count integer "
    "NOT NULL DEFAULT 0)",
    "gen_random_uuid()::text", "now()"};

// schema-engine/connectors/sql-schema-connector/src/flavour/sqlite: create_migrations_table
constexpr Words k_sqlite_words = {"_prisma_migrations",
                                  "CREATE TABLE IF NOT EXISTS \"_prisma_migrations\" (\"id\" TEXT PRIMARY "
                                  "KEY NOT NULL, \"checksum\" TEXT NOT "
                                  "NULL, \"finished_at\" DATETIME, \"migration_name\" TEXT NOT NULL, "
                                  "\"logs\" TEXT, \"rolled_back_at\" DATETIME, "
                                  "\"started_at\" DATETIME NOT NULL DEFAULT current_timestamp, "
                                  "\"applied_steps_count\" INTEGER UNSIGNED NOT NULL "
                                  "DEFAULT 0)",
                                  "lower(hex(randomblob(16)))", "current_timestamp"};

std::shared_ptr<const Bookkeeping> bookkeeping(const Words& words) {
  return books(std::string(words.table), std::string(words.create),
               [id = words.id, now = words.now](const Migration& migration, Side side) {
                 const std::string name =
                     literal(fs::path(migration.up_path).parent_path().filename().string());
                 if (side == Side::up) {
                   return fmt::format(
                       "INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, "
                       "applied_steps_count) VALUES ({}, '', {}, {}, 1)",
                       id, name, now);
                 }
                 return fmt::format(
                     "UPDATE _prisma_migrations SET rolled_back_at = {} WHERE migration_name = {} AND "
                     "rolled_back_at IS NULL",
                     now, name);
               });
}

/// A usage failure where the history is for another engine.
Result<std::string> checked_provider(const Folder& folder) {
  const std::string path = folder.path_of(k_lock);
  if (!is_file(path)) return std::string(folder.dialect() == sql::Dialect::sqlite ? "sqlite" : "postgresql");
  const auto text = read_file(path);
  if (!text) return failed(text);
  const std::string provider = provider_of(*text);
  if (provider == "postgresql" || provider == "cockroachdb" || provider == "sqlite") return provider;
  if (provider.empty()) {
    return failed(FailureKind::usage, fmt::format("Prisma refuses '{}': it names no provider", path),
                  "write: provider = \"postgresql\"", Location{path, 0, 0});
  }
  return failed(FailureKind::usage,
                fmt::format("'{}': the provider is {}, and migrations are rehearsed on PostgreSQL and SQLite",
                            path, abridged(provider, 40)),
                "name a folder whose migrations are for one of these", Location{path, 0, 0});
}

Migration migration_of(const Folder& folder, const Entry& entry, bool cockroach) {
  Migration migration;
  const SideFile named = side_file(entry.name, "");
  migration.version = named.version;
  migration.name = named.name;
  const fs::path path = folder.path_of(entry.name);
  migration.up_path = (path / k_script).string();
  if (is_file(path / k_down)) migration.down_path = (path / k_down).string();
  migration.read = cockroach ? read_for_cockroach : read_whole;
  return migration;
}

Result<void> leave_others(const Folder& folder, const Entry& entry, History& history) {
  const auto files = list(folder.path_of(entry.name));
  if (!files) return failed(files);
  for (const Entry& file : *files) {
    if (file.is_directory || (file.name != k_script && file.name != k_down))
      history.not_taken.push_back(fmt::format("{}/{}", entry.name, left_file(file, "not migration.sql")));
  }
  return {};
}

/// Two folders may begin with the same time: then the whole name is what tells them apart.
void tell_apart(std::vector<Migration>& migrations) {
  std::map<std::string, int> count;
  for (const Migration& migration : migrations) ++count[migration.version];
  for (Migration& migration : migrations) {
    if (count[migration.version] < 2 && !migration.version.empty()) continue;
    migration.version = fs::path(migration.up_path).parent_path().filename().string();
    migration.name.clear();
  }
}

std::optional<sql::Dialect> dialect_said(const Folder& folder) {
  const std::string provider = provider_of(first_bytes(folder.path_of(k_lock), 4096));
  if (provider.empty()) return std::nullopt;
  return provider == "sqlite" ? sql::Dialect::sqlite : sql::Dialect::postgres;
}

Fit fits(const Folder& folder) {
  const auto& entries = folder.entries();
  const auto first = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return is_migration(folder, entry); });
  if (folder.has(k_lock)) return {Fit::How::sure, std::string(k_lock), dialect_said(folder)};
  // drizzle-kit has the same folders with a snapshot in each.
  if (first == entries.end() || is_file(fs::path(folder.path_of(first->name)) / "snapshot.json")) return {};
  return {Fit::How::possible, fmt::format("'{}/{}'", first->name, k_script)};
}

Result<History> load(const Folder& folder) {
  const auto provider = checked_provider(folder);
  if (!provider) return failed(provider);
  History history;
  history.directory = folder.path();
  Faults faults(folder.path());
  std::vector<const Entry*> folders;
  for (const Entry& entry : folder.entries()) {
    if (entry.is_directory) {
      folders.push_back(&entry);
    } else if (entry.name != k_lock) {
      history.not_taken.push_back(left_file(entry, "not in a folder of its own"));
    }
  }
  std::ranges::sort(folders, [](const Entry* a, const Entry* b) { return locale_less(a->name, b->name); });
  for (const Entry* entry : folders) {
    if (!is_migration(folder, *entry)) {
      faults.add(folder.path_of(entry->name),
                 fmt::format("Prisma refuses '{}': it holds no {}", folder.path_of(entry->name), k_script),
                 "remove the folder, or restore its file");
      continue;
    }
    if (const auto left = leave_others(folder, *entry, history); !left) return failed(left);
    history.migrations.push_back(migration_of(folder, *entry, *provider == "cockroachdb"));
  }
  if (!faults.empty()) return std::move(faults).failure();
  tell_apart(history.migrations);
  history.has_down =
      std::ranges::any_of(history.migrations, [](const Migration& one) { return one.down_path.has_value(); });
  std::ranges::sort(history.not_taken);
  history.habits.late = Habits::Late::applied;
  history.habits.when_edited =
      "prisma migrate deploy does not notice: databases that have it keep what it was; migrate dev asks to "
      "reset "
      "them";
  const bool sqlite = *provider == "sqlite";
  history.bookkeeping = bookkeeping(sqlite ? k_sqlite_words : k_postgres_words);
  // Its SQLite is compiled so (libsqlite3-sys, build.rs: SQLITE_DEFAULT_FOREIGN_KEYS=1).
  if (sqlite) history.session_settings["foreign_keys"] = "on";
  return history;
}

}  // namespace

Format format() {
  return {"prisma", "<time>_<name>/migration.sql beside migration_lock.toml", fits, load, true};
}

}  // namespace lockkeeper::history::formats::prisma
