#include "history/formats/flyway.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "base/file.h"
#include "base/text.h"
#include "history/bookkeeping.h"
#include "history/faults.h"
#include "history/files_below.h"
#include "history/formats/flyway_settings.h"
#include "history/pairing.h"
#include "sql/kind.h"
#include "sql/lexer.h"

namespace lockkeeper::history::formats::flyway {

namespace {

namespace fs = std::filesystem;
using record::Side;

// api/callback/Event.java
constexpr std::array<std::string_view, 19> k_callbacks = {
    "beforeMigrate",  "beforeEachMigrate", "afterEachMigrate", "beforeRepeatables", "afterVersioned",
    "afterMigrate",   "beforeUndo",        "beforeEachUndo",   "afterEachUndo",     "afterUndo",
    "beforeValidate", "afterValidate",     "beforeBaseline",   "afterBaseline",     "beforeClean",
    "afterClean",     "createSchema",      "beforeConnect",    "afterConnect"};
constexpr std::array<std::string_view, 5> k_programs = {".sh", ".bash", ".ps1", ".bat", ".py"};

enum class Kind { versioned, undo, repeatable, baseline };

/// A script by its name.
struct Script {
  Kind kind = Kind::versioned;
  std::string version;             ///< as Flyway shows it: 1.2 for V1_2
  std::vector<std::string> parts;  ///< of the version, without the zeros at its end
  std::string description;
  std::string path;   ///< to open it
  std::string shown;  ///< relative to its location
  ScriptSettings settings;
  std::string settings_file;  ///< empty: it has none of its own
};

/// 1.2.3 in parts; nothing for what is no version.
std::optional<std::vector<std::string>> parts_of(const std::string& version) {
  std::vector<std::string> parts = split(version, '.');
  if (!std::all_of(parts.begin(), parts.end(), is_number)) return std::nullopt;
  while (parts.size() > 1 && parts.back().find_first_not_of('0') == std::string::npos) parts.pop_back();
  return parts;
}

int compare(const Script& a, const Script& b) {
  for (std::size_t i = 0; i < std::max(a.parts.size(), b.parts.size()); ++i) {
    const std::string left = i < a.parts.size() ? a.parts[i] : "0";
    const std::string right = i < b.parts.size() ? b.parts[i] : "0";
    if (number_less(left, right)) return -1;
    if (number_less(right, left)) return 1;
  }
  return 0;
}

std::string_view without_suffix(std::string_view file, const std::vector<std::string>& suffixes) {
  for (const std::string& suffix : suffixes) {
    if (file.ends_with(suffix)) return file.substr(0, file.size() - suffix.size());
  }
  return {};
}

/// The script that a name says, or why Flyway passes it over.
tl::expected<Script, std::string> named(const std::string& file, const Settings& settings) {
  const std::string_view stem = without_suffix(file, settings.suffixes);
  if (stem.empty()) return tl::unexpected(fmt::format("does not end in {}", join(settings.suffixes, ", ")));
  const auto is_of = [&](std::string_view event) { return stem.starts_with(event); };
  if (std::any_of(k_callbacks.begin(), k_callbacks.end(), is_of))
    return tl::unexpected(std::string("a callback, which Flyway runs beside the migrations; not run here"));
  std::vector<std::pair<std::string, Kind>> prefixes = {{settings.versioned, Kind::versioned},
                                                        {settings.undo, Kind::undo},
                                                        {settings.repeatable, Kind::repeatable},
                                                        {settings.baseline, Kind::baseline}};
  std::ranges::stable_sort(prefixes, std::greater<>(), [](const auto& one) { return one.first.size(); });
  const auto prefix =
      std::ranges::find_if(prefixes, [&](const auto& one) { return stem.starts_with(one.first); });
  if (prefix == prefixes.end()) {
    return tl::unexpected(fmt::format("begins with none of {}, {}, {}, {}", settings.versioned, settings.undo,
                                      settings.repeatable, settings.baseline));
  }
  Script script;
  script.kind = prefix->second;
  const std::string_view rest = stem.substr(prefix->first.size());
  const std::size_t separator = rest.find(settings.separator);
  script.version = rest.substr(0, separator);
  if (separator != std::string_view::npos)
    script.description = rest.substr(separator + settings.separator.size());
  std::ranges::replace(script.description, '_', ' ');
  if (script.kind == Kind::repeatable) {
    if (script.version.empty()) return script;
    return tl::unexpected(fmt::format("a repeatable migration has no version: {}{}<description>.sql",
                                      prefix->first, settings.separator));
  }
  std::ranges::replace(script.version, '_', '.');
  const auto parts = parts_of(script.version);
  if (!parts) {
    return tl::unexpected(fmt::format("'{}' is no version: {}1.2{}<description>.sql",
                                      rest.substr(0, separator), prefix->first, settings.separator));
  }
  script.parts = *parts;
  return script;
}

/// The first words of a statement that stand outside of parentheses, as Flyway joins them to know its kind:
/// names of letters alone count, others do not.
std::string first_words(std::string_view statement) {
  constexpr std::size_t k_most = 4;
  std::string words;
  std::size_t count = 0;
  int depth = 0;
  sql::Lexer lexer(statement);
  while (count < k_most) {
    const sql::Token token = lexer.next_code();
    if (token.kind == sql::TokenKind::end_of_text) break;
    const std::string_view text = token.in(statement);
    if (text == "(") ++depth;
    if (text == ")") --depth;
    if (token.kind != sql::TokenKind::word || depth > 0) continue;
    if (text.find_first_of("0123456789$.") != std::string_view::npos) continue;
    words += (count++ == 0 ? "" : " ") + lower(text);
  }
  return words;
}

/// Flyway's own list (PostgreSQLParser.java: detectCanExecuteInTransaction): what else the server refuses in
/// a transaction, REINDEX INDEX CONCURRENTLY or DETACH PARTITION CONCURRENTLY, is sent in one and fails. Of
/// SQLite it knows PRAGMA foreign_keys (SQLiteParser.java), and not VACUUM.
bool runs_in_transaction(const sql::Statement& statement) {
  if (statement.source->dialect() == sql::Dialect::sqlite)
    return !first_words(statement.text).starts_with("pragma foreign_keys");
  if (statement.kind != sql::StatementKind::no_transaction) return true;
  static constexpr std::array<std::string_view, 15> k_heads = {"create database",
                                                               "drop database",
                                                               "create tablespace",
                                                               "drop tablespace",
                                                               "create subscription",
                                                               "drop subscription",
                                                               "alter system",
                                                               "create index concurrently",
                                                               "create unique index concurrently",
                                                               "drop index concurrently",
                                                               "reindex schema",
                                                               "reindex database",
                                                               "reindex system",
                                                               "vacuum",
                                                               "discard all"};
  const std::string words = first_words(statement.text) + " ";
  return std::ranges::none_of(k_heads, [&](std::string_view head) {
    return words.starts_with(std::string(head) + " ") ||
           words.starts_with("reindex verbose " + std::string(head.substr(head.find(' ') + 1)) + " ");
  });
}

std::string place_of(const sql::Statement& statement) {
  return fmt::format("{} at {}:{}", sql::headline(statement.text), statement.location.line,
                     statement.location.column);
}

/// What decides between one transaction and none.
Result<void> decide_shape(sql::Part& part, const std::string& path, const ScriptSettings& script,
                          const std::string& script_file, const Settings& settings) {
  const auto without = std::ranges::find_if_not(part.statements, runs_in_transaction);
  const auto within = std::ranges::find_if(part.statements, runs_in_transaction);
  const bool decided = script.in_transaction.has_value() || !settings.in_transaction;
  if (!settings.mixed && !decided && without != part.statements.end() && within != part.statements.end()) {
    return failed(FailureKind::usage,
                  fmt::format("Flyway refuses '{}': {} runs in no transaction, other statements beside it do",
                              path, place_of(*without)),
                  "give the statement a migration of its own, or set flyway.mixed=true", without->location);
  }
  part.begins_again = true;
  part.sends_copy_data = true;
  const bool one =
      script.in_transaction.value_or(settings.in_transaction && without == part.statements.end());
  if (one) return {};
  part.shape = record::TransactionShape::autocommit;
  if (script.in_transaction) {
    part.shape_reason =
        fmt::format("executeInTransaction=false in {}", fs::path(script_file).filename().string());
  } else if (without != part.statements.end()) {
    part.shape_reason = place_of(*without);
  } else {
    part.shape_reason = fmt::format("flyway.executeInTransaction=false in {}", settings.file);
  }
  return {};
}

std::string now() {
  const std::time_t seconds = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&seconds, &local);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local)};
}

Result<std::shared_ptr<const sql::Source>> with_values(std::shared_ptr<const sql::Source> source,
                                                       const ScriptSettings& script,
                                                       const Settings& settings) {
  if (!script.replaces.value_or(settings.replaces) ||
      source->text().find(settings.placeholder_prefix) == std::string_view::npos)
    return source;
  std::error_code ignored;
  const std::map<std::string, std::string> built_in = {
      {"filename", fs::path(source->path()).filename().string()},
      {"table", settings.table},
      {"defaultSchema", settings.schema.empty() ? "public" : settings.schema},
      {"timestamp", now()},
      {"environment", "default"},
      {"workingDirectory", fs::current_path(ignored).string()}};
  const auto text = with_placeholders(source->text(), source->path(), settings, built_in);
  if (!text) return failed(text);
  auto replaced = sql::Source::from_text(source->path(), *text, 1, source->dialect());
  if (!replaced) return failed(replaced);
  return std::make_shared<const sql::Source>(std::move(*replaced));
}

Result<sql::Script> read_flyway(const std::string& path, sql::Dialect dialect, const Script& script,
                                const Settings& settings) {
  auto source = read_source(path, dialect);
  if (!source) return failed(source);
  source = with_values(std::move(*source), script.settings, settings);
  if (!source) return failed(source);
  auto part =
      sql::statement_by_statement(*source, sql::all_of(**source), record::TransactionShape::one_transaction);
  if (!part) return failed(part);
  if (const auto decided = decide_shape(*part, path, script.settings, script.settings_file, settings);
      !decided)
    return failed(decided);
  return script_of(std::move(part));
}

/// Where scripts lie.
struct Place {
  std::string path;
  std::string shown;  ///< before the names of its files: empty for the folder itself
};

/// The folders that Flyway searches: all its locations where the folder is one of them or holds the settings.
std::vector<Place> places(const Folder& folder, const Settings& settings, History& history) {
  std::error_code ignored;
  const fs::path own = fs::weakly_canonical(folder.path(), ignored);
  const fs::path home = fs::path(settings.file).parent_path();
  std::vector<Place> found;
  bool is_one_of_them = !settings.file.empty() && home == own;
  std::vector<std::string> elsewhere;
  for (const std::string& location : settings.locations) {
    const bool in_classes = location.starts_with("classpath:") || location.find(':') == std::string::npos;
    const std::string name =
        location.substr(location.find(':') == std::string::npos ? 0 : location.find(':') + 1);
    fs::path path = location.starts_with("filesystem:") ? home / name : home / "src/main/resources" / name;
    path = fs::weakly_canonical(path, ignored);
    if ((!in_classes && !location.starts_with("filesystem:")) || !fs::is_directory(path, ignored)) {
      elsewhere.push_back(
          fmt::format("{}: a location of {} that is no folder here", location, settings.file));
      continue;
    }
    is_one_of_them = is_one_of_them || path == own;
    found.push_back(path == own ? Place{folder.path(), ""} : Place{path.string(), name + "/"});
  }
  if (!is_one_of_them || found.empty()) return {{folder.path(), ""}};
  history.not_taken.insert(history.not_taken.end(), elsewhere.begin(), elsewhere.end());
  return found;
}

class Reading {
 public:
  Reading(const Folder& folder, Settings settings)
      : m_settings(std::make_shared<const Settings>(std::move(settings))),
        m_dialect(folder.dialect()),
        m_faults(folder.path()) {
    m_history.directory = folder.path();
    m_places = places(folder, *m_settings, m_history);
  }
  Result<History> read();

 private:
  Result<void> gather(const Place& place);
  void take_settings(Script& script);
  void refuse_twins(const std::vector<Script>& scripts);
  void begin_with_baseline();
  void leave(const Script& script, const std::string& reason) {
    m_history.not_taken.push_back(fmt::format("{}: {}", script.shown, reason));
  }
  Migration migration_of(const Script& up);
  std::string why_left(const FileBelow& file, const std::string& cause) const;

  std::shared_ptr<const Settings> m_settings;
  sql::Dialect m_dialect;
  Faults m_faults;
  History m_history;
  std::vector<Place> m_places;
  std::map<Kind, std::vector<Script>> m_scripts;
};

std::string Reading::why_left(const FileBelow& file, const std::string& cause) const {
  const bool prefixed =
      file.name.starts_with(m_settings->versioned) || file.name.starts_with(m_settings->repeatable);
  if (prefixed && file.name.ends_with(".java"))
    return "a migration in Java, which only the project's own program can run";
  const auto ends = [&](std::string_view suffix) { return file.name.ends_with(suffix); };
  if (prefixed && std::ranges::any_of(k_programs, ends)) return "a program that Flyway runs, not SQL";
  return cause;
}

void Reading::take_settings(Script& script) {
  std::error_code ignored;
  const std::string file = script.path + ".conf";
  if (!fs::is_regular_file(file, ignored)) return;
  script.settings_file = file;
  auto settings = script_settings(file, *m_settings);
  if (settings) {
    script.settings = *settings;
  } else {
    m_faults.add(file, settings.error().message, settings.error().hint);
  }
}

Result<void> Reading::gather(const Place& place) {
  auto below = files_below(place.path);
  if (!below) return failed(below);
  m_history.not_taken.insert(m_history.not_taken.end(), below->skipped.begin(), below->skipped.end());
  for (const FileBelow& file : below->files) {
    auto script = named(file.name, *m_settings);
    if (!script) {
      const bool heeded = file.name == "flyway.conf" || file.name == "flyway.toml" ||
                          (file.name.ends_with(".conf") &&
                           named(file.name.substr(0, file.name.size() - 5), *m_settings).has_value());
      if (!heeded)
        m_history.not_taken.push_back(
            fmt::format("{}{}: {}", place.shown, file.path, why_left(file, script.error())));
      continue;
    }
    script->path = (fs::path(place.path) / file.path).string();
    script->shown = place.shown + file.path;
    take_settings(*script);
    if (script->settings.runs) {
      m_scripts[script->kind].push_back(std::move(*script));
    } else {
      leave(*script, "shouldExecute=false in its .conf");
    }
  }
  return {};
}

/// The scripts are in order, so twins stand side by side.
void Reading::refuse_twins(const std::vector<Script>& scripts) {
  for (std::size_t i = 1; i < scripts.size(); ++i) {
    const Script& first = scripts[i - 1];
    const Script& second = scripts[i];
    if (second.kind != Kind::repeatable && compare(first, second) == 0)
      m_faults.add_duplicate(second.path, second.version, first.shown, second.shown);
    if (second.kind != Kind::repeatable || first.description != second.description) continue;
    m_faults.add(second.path,
                 fmt::format("description '{}': two scripts have it, '{}' and '{}'", second.description,
                             first.shown, second.shown),
                 "give one of them another description");
  }
}

/// On a new database the newest baseline takes the place of the versions up to its own.
void Reading::begin_with_baseline() {
  auto& baselines = m_scripts[Kind::baseline];
  if (baselines.empty()) return;
  const Script baseline = baselines.back();
  baselines.pop_back();
  for (const Script& older : baselines) leave(older, fmt::format("'{}' is newer", baseline.shown));
  for (const Kind kind : {Kind::versioned, Kind::undo}) {
    auto& scripts = m_scripts[kind];
    const auto first =
        std::ranges::find_if(scripts, [&](const Script& one) { return compare(one, baseline) > 0; });
    for (auto at = scripts.begin(); at != first; ++at)
      leave(*at, fmt::format("on a new database '{}' stands in its place", baseline.shown));
    scripts.erase(scripts.begin(), first);
  }
  m_scripts[Kind::versioned].insert(m_scripts[Kind::versioned].begin(), baseline);
}

/// All that changes what a script sends beside its text.
std::string settings_text(const Script& script, const Settings& settings) {
  std::string text = fmt::format("{}{}", settings.in_transaction, settings.mixed);
  if (!script.settings.replaces.value_or(settings.replaces)) return text + "-";
  for (const auto& [name, value] : settings.placeholders)
    text += fmt::format("{}={}:{};", name, value.size(), value);
  return text + settings.placeholder_prefix + settings.placeholder_suffix;
}

Migration Reading::migration_of(const Script& up) {
  Migration migration;
  // What is repeatable has no version: its name is what it is known by.
  migration.version = up.kind == Kind::repeatable ? fs::path(up.path).stem().string() : up.version;
  migration.name = up.kind == Kind::repeatable ? "" : up.description;
  migration.up_path = up.path;
  migration.runs_when_changed = up.kind == Kind::repeatable;
  if (!up.settings_file.empty()) migration.further_files.push_back(up.settings_file);
  if (!m_settings->file.empty() || !m_settings->placeholders.empty())
    migration.up_settings = settings_text(up, *m_settings);
  Script down;
  if (up.kind == Kind::versioned) {
    const auto& undos = m_scripts[Kind::undo];
    const auto undo = std::lower_bound(undos.begin(), undos.end(), up,
                                       [](const Script& a, const Script& b) { return compare(a, b) < 0; });
    if (undo != undos.end() && compare(*undo, up) == 0) down = *undo;
  }
  if (!down.path.empty()) migration.down_path = down.path;
  migration.read = [settings = m_settings, up, down](const Migration& one, Side side) {
    const Script& script = side == Side::up ? up : down;
    return read_flyway(script.path, one.dialect, script, *settings);
  };
  return migration;
}

std::shared_ptr<const Bookkeeping> bookkeeping(const Settings& settings,
                                               std::map<std::string, std::array<std::string, 2>> columns,
                                               sql::Dialect dialect) {
  const bool sqlite = dialect == sql::Dialect::sqlite;
  std::string quoted = settings.table;
  for (std::size_t at = 0; (at = quoted.find('"', at)) != std::string::npos; at += 2) quoted.insert(at, "\"");
  const std::string table = own_table(fmt::format("\"{}\"", quoted), dialect);
  const bool plain =
      settings.table.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
  auto books = std::make_shared<Bookkeeping>();
  books->tables = {sqlite || plain ? own_table(settings.table, dialect) : table};
  // SQLiteDatabase.java: getRawCreateScript
  constexpr std::string_view k_in_sqlite =
      "CREATE TABLE IF NOT EXISTS {0} (\"installed_rank\" INT NOT NULL PRIMARY KEY, \"version\" VARCHAR(50), "
      "\"description\" VARCHAR(200) NOT NULL, \"type\" VARCHAR(20) NOT NULL, \"script\" VARCHAR(1000) NOT "
      "NULL, "
      "\"checksum\" INT, \"installed_by\" VARCHAR(100) NOT NULL, \"installed_on\" TEXT NOT NULL DEFAULT "
      "(strftime('%Y-%m-%d %H:%M:%f','now')), \"execution_time\" INT NOT NULL, \"success\" BOOLEAN NOT "
      "NULL); CREATE "
      "INDEX IF NOT EXISTS \"{1}_s_idx\" ON {0} (\"success\")";
  books->create = sqlite ? fmt::format(k_in_sqlite, table, quoted)
                         : fmt::format(
                               "CREATE TABLE IF NOT EXISTS {0} (installed_rank int NOT NULL, version "
                               "varchar(50), description "
                               "varchar(200) NOT NULL, type varchar(20) NOT NULL, script varchar(1000) NOT "
                               "NULL, checksum integer, "
                               "installed_by varchar(100) NOT NULL, installed_on timestamp NOT NULL DEFAULT "
                               "now(), execution_time "
                               "integer NOT NULL, success boolean NOT NULL, CONSTRAINT \"{1}_pk\" PRIMARY "
                               "KEY (installed_rank)); "
                               "CREATE INDEX IF NOT EXISTS \"{1}_s_idx\" ON {0} (success)",
                               table, quoted);
  const char* const user = sqlite ? "''" : "current_user";
  books->note = [table, user, columns = std::move(columns)](const Migration& migration, Side side) {
    const auto& [values, undo_values] = columns.at(migration.version);
    return fmt::format(
        "INSERT INTO {0} (installed_rank, version, description, type, script, checksum, installed_by, "
        "execution_time, success) SELECT coalesce(max(installed_rank), 0) + 1, {1}, NULL, {2}, 0, true FROM "
        "{0}",
        table, side == Side::up ? values : undo_values, user);
  };
  return books;
}

std::string values_of(const Script& script, std::string_view type) {
  return fmt::format("{}, substr({}, 1, 200), '{}', substr({}, 1, 1000)",
                     script.kind == Kind::repeatable ? "NULL" : literal(script.version),
                     literal(script.description), type, literal(script.shown));
}

Result<History> Reading::read() {
  for (const Place& place : m_places) {
    if (const auto gathered = gather(place); !gathered) return failed(gathered);
  }
  for (auto& [kind, scripts] : m_scripts) {
    std::ranges::stable_sort(scripts, [](const Script& a, const Script& b) {
      return a.kind == Kind::repeatable ? a.description < b.description : compare(a, b) < 0;
    });
    refuse_twins(scripts);
  }
  if (const auto refused = std::move(m_faults).refuse(m_history); !refused) return failed(refused);
  begin_with_baseline();
  m_history.has_down = !m_scripts[Kind::undo].empty();
  m_history.all_in_one = m_settings->group;
  m_history.habits.late = m_settings->out_of_order ? Habits::Late::applied : Habits::Late::refused;
  m_history.habits.keeps_checksums = true;
  m_history.habits.when_edited = "Flyway refuses to migrate databases that have it: its checksum differs";
  std::map<std::string, std::array<std::string, 2>> columns;
  for (const Kind kind : {Kind::versioned, Kind::repeatable}) {
    for (const Script& script : m_scripts[kind]) {
      m_history.migrations.push_back(migration_of(script));
      const Migration& migration = m_history.migrations.back();
      columns[migration.version] = {values_of(script, script.kind == Kind::baseline ? "SQL_BASELINE" : "SQL"),
                                    values_of(script, "UNDO_SQL")};
    }
  }
  for (const Script& undo : m_scripts[Kind::undo]) {
    const auto same = [&](const Script& up) { return up.kind == Kind::versioned && compare(up, undo) == 0; };
    if (std::ranges::none_of(m_scripts[Kind::versioned], same))
      leave(undo, "undoes a version that is not there");
  }
  if (!m_settings->schema.empty()) {
    m_history.not_taken.push_back(
        fmt::format("{}: the schema '{}' that it names is not made the first of the search path here",
                    m_settings->file, m_settings->schema));
  }
  m_history.bookkeeping = bookkeeping(*m_settings, std::move(columns), m_dialect);
  std::ranges::sort(m_history.not_taken);
  return std::move(m_history);
}

/// Name of the first script of a version, in the folder or, where it holds no SQL of its own, below it.
std::string first_script(const Folder& folder, const Settings& settings, bool below) {
  const auto is_script = [&](const std::string& name) {
    const auto script = named(name, settings);
    return script && script->kind != Kind::undo && !script->description.empty();
  };
  bool has_sql = false;
  for (const Entry& entry : folder.entries()) {
    if (entry.is_directory) continue;
    if (is_script(entry.name)) return entry.name;
    has_sql = has_sql || entry.name.ends_with(".sql");
  }
  if (has_sql && !below) return {};
  const auto files = files_below(folder.path());
  if (!files) return {};
  for (const FileBelow& file : files->files) {
    if (is_script(file.name)) return file.path;
  }
  return {};
}

/// A build file above the folder that names Flyway.
std::optional<std::string> builds_with_flyway(const Folder& folder) {
  for (const char* name : {"pom.xml", "build.gradle", "build.gradle.kts"}) {
    const auto file = folder.above(name);
    const auto text = file ? read_file(*file) : Result<std::string>("");
    if (text && lower(*text).find("flyway") != std::string::npos) return file;
  }
  return std::nullopt;
}

Fit fits(const Folder& folder) {
  const auto settings = settings_for(folder);
  if (!settings) return {Fit::How::if_named, ""};
  const bool told = !settings->file.empty();
  const std::string file = first_script(folder, *settings, told);
  std::error_code ignored;
  const bool by_location =
      told && fs::path(settings->file).parent_path() == fs::weakly_canonical(folder.path(), ignored);
  if (file.empty() && !(by_location && !settings->locations.empty())) return {};
  if (told) return {Fit::How::sure, settings->file};
  if (const auto build = builds_with_flyway(folder))
    return {Fit::How::sure, fmt::format("{} names Flyway", *build)};
  return {Fit::How::possible, fmt::format("'{}'", file)};
}

Result<History> load(const Folder& folder) {
  auto settings = settings_for(folder);
  if (!settings) return failed(settings);
  return Reading(folder, std::move(*settings)).read();
}

}  // namespace

Format format() {
  return {"flyway", "V<version>__<name>.sql, U<version>__<name>.sql to undo it, R__<name>.sql", fits, load,
          true};
}

}  // namespace lockkeeper::history::formats::flyway
