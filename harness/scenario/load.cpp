#include "scenario/load.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "record/names.h"
#include "scenario/fields.h"
#include "scenario/queries.h"
#include "scenario/release_plan.h"
#include "scenario/yaml.h"

namespace lockkeeper::scenario {

namespace {

namespace fs = std::filesystem;

constexpr int k_oldest_postgres = 13;
constexpr int k_newest_postgres = 18;

using Texts = std::vector<std::string>;

const Texts k_scenario_keys = {
    "scenario",   "engine",     "database",        "scale",      "init",   "fixture",         "fixture_at",
    "migrations", "invariants", "after_up",        "queries",    "allow",  "expect_findings", "levels",
    "gate",       "depth",      "longest_wait_ms", "production", "writes", "seed_rows",       "old_release",
    "release",    "benchmark",  "sizes",           "statistics"};

/// Turns the values of one file into a scenario, one function for each key.
class Loader {
 public:
  Loader(std::string path, Texts rules, FolderAt folder_at = {})
      : m_rules(std::move(rules)), m_folder_at(std::move(folder_at)) {
    m_scenario.file = std::move(path);
  }

  Result<Scenario> load(const Value& root);
  Result<std::vector<Allow>> load_baseline(const Value& root);
  Result<OldRelease> load_release(const Value& root);

 private:
  void load_engine(const Value& value);
  void load_versions(const Value& value);
  void load_pragmas(const Value& value);
  void load_fixtures(const Value& value);
  void load_fixture(const Value& value);
  void load_migrations(const Value& value);
  void load_tool(const Value& value);
  void load_script(const Value& value);
  Texts words(const Fields& fields, const std::string& key);
  void load_selection(const Fields& fields);
  void load_only(const Value& value);
  void load_invariant(const Value& value);
  void load_expectation(const Value& value);
  void read_attributes(const Fields& fields, Expectation& expectation);
  std::optional<std::string> answer(const Fields& fields);
  Texts sqlstates(const Fields& fields);
  void check_attributes(const Fields& fields, const std::string& subject);
  OldRelease old_release_of(const Fields& fields);
  void load_allow(const Value& value);
  void load_expected_finding(const Value& value);
  void load_levels(const Value& value);
  void check_database(const Value& value);
  void load_production(const Value& value);
  std::optional<double> amount(const Value& value, const std::string& key);

  void each(const Fields& fields, const std::string& key, void (Loader::*load_one)(const Value&));
  void check_unique(std::set<std::string>& seen, const std::string& name, const Location& location);
  std::string existing(const Value& value, const std::string& path, std::string_view what);
  std::string rule(const Fields& fields);
  std::optional<record::Level> level(const Value& value, const std::string& what);
  std::optional<record::Depth> depth(const Value& value);
  std::optional<std::string> referential_action(const Fields& fields, const std::string& key);

  Texts m_rules;
  FolderAt m_folder_at;  ///< of an earlier release; empty: folders are read where they lie
  Problems m_problems;
  Scenario m_scenario;
  std::set<std::string> m_invariant_names;
};

Result<Scenario> Loader::load(const Value& root) {
  const Fields fields(m_problems, root, "a scenario", k_scenario_keys);
  m_scenario.name = fields.required_text("scenario");
  if (const Value* value = fields.find("engine")) load_engine(*value);
  if (const Value* value = fields.find("database")) check_database(*value);
  m_scenario.scale = fields.count("scale").value_or(1);
  m_scenario.init = fields.texts("init");
  if (const Value* value = fields.find("fixture")) load_fixtures(*value);
  m_scenario.fixture_at = fields.text("fixture_at");
  if (const Value* value = fields.required("migrations")) load_migrations(*value);
  each(fields, "invariants", &Loader::load_invariant);
  each(fields, "after_up", &Loader::load_expectation);
  if (const Value* value = fields.find("queries"))
    m_scenario.queries = read_queries(m_problems, *value, m_scenario.file);
  if (const Value* value = fields.find("benchmark"))
    m_scenario.benchmark = read_benchmark(m_problems, *value);
  if (const Value* value = fields.find("sizes")) m_scenario.sizes = read_sizes(m_problems, *value);
  each(fields, "allow", &Loader::load_allow);
  each(fields, "expect_findings", &Loader::load_expected_finding);
  if (const Value* value = fields.find("levels")) load_levels(*value);
  if (const Value* value = fields.find("depth")) m_scenario.depth = depth(*value);
  if (const auto wait = fields.count("longest_wait_ms"))
    m_scenario.longest_wait = std::chrono::milliseconds(*wait);
  if (const Value* value = fields.find("production")) load_production(*value);
  if (const Value* value = fields.find("statistics")) {
    m_problems.report(
        value->location,
        "key 'statistics': production's statistics make no plan of production's size: PostgreSQL takes "
        "the number of rows from the size of a table's file",
        "make the fixture larger: scale, and fixtures that read lockkeeper.scale");
  }
  m_scenario.writes = fields.texts("writes");
  if (const Value* value = fields.find("old_release"))
    m_scenario.old_release = old_release_of(Fields(m_problems, *value, "old_release", {"queries", "writes"}));
  if (const Value* value = fields.find("seed_rows")) {
    const auto rows = amount(*value, "seed_rows");
    if (rows) m_scenario.seed_rows = static_cast<int>(std::min(*rows, 1e6));
  }
  if (const Value* value = fields.find("gate")) m_scenario.gate = level(*value, key_named("gate"));
  if (const Value* value = fields.find("release")) {
    const Texts checks(m_invariant_names.begin(), m_invariant_names.end());
    m_scenario.release = read_release_plan(m_problems, *value, m_rules, checks);
  }
  if (m_problems.first()) return tl::unexpected<Failure>(*m_problems.first());
  return std::move(m_scenario);
}

Result<std::vector<Allow>> Loader::load_baseline(const Value& root) {
  const Fields fields(m_problems, root, "a baseline", {"allow"});
  if (fields.required("allow") != nullptr) each(fields, "allow", &Loader::load_allow);
  if (m_problems.first()) return tl::unexpected<Failure>(*m_problems.first());
  return std::move(m_scenario.allow);
}

Result<OldRelease> Loader::load_release(const Value& root) {
  OldRelease release = old_release_of(Fields(m_problems, root, "a scenario", k_scenario_keys));
  if (m_problems.first()) return tl::unexpected<Failure>(*m_problems.first());
  return release;
}

OldRelease Loader::old_release_of(const Fields& fields) {
  OldRelease release;
  if (const Value* list = fields.find("queries"))
    release.queries = read_queries(m_problems, *list, m_scenario.file, m_folder_at);
  const Value* const writes = fields.find("writes");
  if (writes == nullptr) return release;
  const std::vector<Value> single = {*writes};
  for (const Value& item : writes->kind == Value::Kind::list ? writes->items : single)
    release.writes.push_back({read_text(m_problems, item, key_named("writes")), item.location});
  return release;
}

void Loader::each(const Fields& fields, const std::string& key, void (Loader::*load_one)(const Value&)) {
  const Value* const list = fields.find(key);
  if (!list) return;
  for (const Value& item : items_of(m_problems, *list, key_named(key))) (this->*load_one)(item);
}

void Loader::check_unique(std::set<std::string>& seen, const std::string& name, const Location& location) {
  if (!seen.insert(name).second) {
    m_problems.report(location, fmt::format("name '{}': stands here twice", abridged(name)),
                      "reports tell them apart by name");
  }
}

void Loader::load_engine(const Value& value) {
  Texts names;
  if (value.kind == Value::Kind::map) {
    for (const Value::Key& key : value.keys) names.push_back(key.text);
  } else {
    names.push_back(read_text(m_problems, value, key_named("engine")));
  }
  if (names.size() != 1) {
    m_problems.report(value.location, "key 'engine': one engine is wanted",
                      "write 'engine: postgres' or 'engine: {postgres: {versions: [15, 17]}}'");
    return;
  }
  m_scenario.engine = names[0];
  const bool says_more = value.kind == Value::Kind::map && value.items[0].kind != Value::Kind::null;
  if (names[0] == "sqlite") {
    if (says_more) load_pragmas(value.items[0]);
  } else if (names[0] != "postgres") {
    m_problems.report(
        value.location,
        fmt::format("engine '{}': not known{}", names[0], did_you_mean(names[0], {"postgres", "sqlite"})),
        "the engines are postgres and sqlite");
  } else if (says_more) {
    const Fields fields(m_problems, value.items[0], "postgres", {"versions"});
    if (const Value* versions = fields.find("versions")) load_versions(*versions);
  }
}

/// Those of https://www.sqlite.org/pragma.html that decide how a session, or a file that it makes, behaves.
void Loader::load_pragmas(const Value& value) {
  static const Texts k_pragmas = {"application_id",
                                  "auto_vacuum",
                                  "automatic_index",
                                  "busy_timeout",
                                  "cache_size",
                                  "case_sensitive_like",
                                  "cell_size_check",
                                  "defer_foreign_keys",
                                  "encoding",
                                  "foreign_keys",
                                  "ignore_check_constraints",
                                  "journal_mode",
                                  "journal_size_limit",
                                  "legacy_alter_table",
                                  "locking_mode",
                                  "mmap_size",
                                  "page_size",
                                  "recursive_triggers",
                                  "reverse_unordered_selects",
                                  "secure_delete",
                                  "synchronous",
                                  "temp_store",
                                  "trusted_schema",
                                  "user_version",
                                  "wal_autocheckpoint"};
  const Fields fields(m_problems, value, "sqlite", k_pragmas);
  if (value.kind != Value::Kind::map) return;
  for (const Value::Key& key : value.keys) {
    const std::string text = fields.text(key.text);
    const bool plain = !text.empty() && text.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQR"
                                            "STUVWXYZ0123456789_-") == std::string::npos;
    if (plain) {
      m_scenario.pragmas.emplace_back(key.text, text);
    } else {
      m_problems.report(key.location,
                        fmt::format("{} '{}': not a value of a PRAGMA", key_named(key.text), abridged(text)),
                        "a number or a word, for example: foreign_keys: on");
    }
  }
}

void Loader::load_versions(const Value& value) {
  const std::vector<Value> single = {value};
  const bool list = value.kind == Value::Kind::list;
  if (list && value.items.empty()) m_problems.report(value.location, "key 'versions': the list is empty");
  for (const Value& item : list ? value.items : single) {
    const int version = read_count(m_problems, item, key_named("versions"));
    if (version < k_oldest_postgres || version > k_newest_postgres) {
      m_problems.report(item.location, fmt::format("PostgreSQL version '{}': outside of {} to {}", item.text,
                                                   k_oldest_postgres, k_newest_postgres));
    }
    if (std::count(m_scenario.postgres_versions.begin(), m_scenario.postgres_versions.end(), version) > 0) {
      m_problems.report(item.location, fmt::format("PostgreSQL version '{}': stands here twice", item.text));
    }
    m_scenario.postgres_versions.push_back(version);
  }
}

void Loader::check_database(const Value& value) {
  m_scenario.database = read_text(m_problems, value, key_named("database"));
  const std::string& name = m_scenario.database;
  // NAMEDATALEN is 64: a longer name would be shortened by the server.
  if (name.size() > 63) {
    m_problems.report(value.location, fmt::format("database '{}': longer than 63 bytes", abridged(name)));
  }
  if (name == "postgres" || name == "template0" || name == "template1") {
    m_problems.report(value.location, fmt::format("database '{}': the server has one of this name", name),
                      "take another name");
  }
}

std::string Loader::existing(const Value& value, const std::string& path, std::string_view what) {
  return existing_path(m_problems, value, m_scenario.file, path, what);
}

void Loader::load_fixtures(const Value& value) {
  if (value.kind != Value::Kind::list) return load_fixture(value);
  for (const Value& item : value.items) load_fixture(item);
}

void Loader::load_fixture(const Value& value) {
  Fixture fixture;
  fixture.location = value.location;
  if (value.kind == Value::Kind::map) {
    const Fields fields(m_problems, value, "a fixture", {"path", "table"});
    const std::string path = fields.required_text("path");
    fixture.table = fields.text("table");
    if (const Value* written = fields.find("path")) fixture.path = existing(*written, path, "fixture");
    if (!fixture.table.empty() && lower(path).find(".csv") == std::string::npos) {
      m_problems.report(value.location, fmt::format("fixture '{}': only a .csv file takes a table", path));
    }
  } else {
    fixture.path = existing(value, read_text(m_problems, value, key_named("fixture")), "fixture");
  }
  m_scenario.fixtures.push_back(std::move(fixture));
}

void Loader::load_migrations(const Value& value) {
  const Value* written = &value;
  if (value.kind == Value::Kind::map) {
    const Fields fields(m_problems, value, "migrations",
                        {"path", "format", "transaction", "tool", "claims_rerunnable", "since", "last",
                         "only", "since_ref", "since_folder"});
    written = fields.required("path");
    m_scenario.format = fields.text("format");
    m_scenario.transaction = fields.text("transaction");
    m_scenario.claims_rerunnable = fields.flag("claims_rerunnable").value_or(false);
    if (const Value* tool = fields.find("tool")) load_tool(*tool);
    load_selection(fields);
    if (!written) return;
  }
  const std::string path =
      read_text(m_problems, *written, written == &value ? "key 'migrations'" : "key 'path'");
  m_scenario.migrations_path = existing(*written, path, "migrations");
  std::error_code ignored;
  if (fs::exists(m_scenario.migrations_path, ignored) &&
      !fs::is_directory(m_scenario.migrations_path, ignored)) {
    m_problems.report(written->location, fmt::format("migrations '{}': not a directory", path),
                      "name the folder that holds the migrations");
  }
}

/// Words of a command: a list, or a text that is cut at its white space. No shell sees them.
Texts Loader::words(const Fields& fields, const std::string& key) {
  const Value* const value = fields.find(key);
  if (value == nullptr) return {};
  if (value->kind != Value::Kind::scalar) return read_texts(m_problems, *value, key_named(key));
  Texts words;
  for (const std::string& word : split(value->text, ' ')) {
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

void Loader::load_tool(const Value& value) {
  const Fields fields(m_problems, value, "a tool",
                      {"list", "up", "down", "dry_run", "scripts", "environment", "deadline"});
  Tool& tool = m_scenario.tool;
  tool.list = words(fields, "list");
  tool.up = words(fields, "up");
  tool.down = words(fields, "down");
  tool.dry_run = words(fields, "dry_run");
  each(fields, "scripts", &Loader::load_script);
  if (!tool.scripts.empty() &&
      !(tool.list.empty() && tool.up.empty() && tool.down.empty() && tool.dry_run.empty())) {
    m_problems.report(value.location,
                      "keys 'scripts' and 'list', 'up', 'down', 'dry_run': only one kind can be given",
                      "each script has an up, a down and a dry_run of its own");
  }
  tool.deadline_seconds = fields.count("deadline");
  const Value* const environment = fields.find("environment");
  if (environment == nullptr) return;
  if (environment->kind != Value::Kind::map) {
    m_problems.report(environment->location, "key 'environment': a map of names and values is wanted",
                      "environment: {APP_DATABASE: '{url}'}");
    return;
  }
  for (std::size_t i = 0; i < environment->keys.size(); ++i) {
    tool.environment[environment->keys[i].text] =
        read_text(m_problems, environment->items[i], key_named(environment->keys[i].text));
  }
}

void Loader::load_script(const Value& value) {
  const Fields fields(m_problems, value, "a script",
                      {"version", "file", "up", "down", "dry_run", "claims_rerunnable"});
  Tool::Script script;
  script.version = fields.required_text("version");
  script.file = fields.required_text("file");
  if (fields.required("up") != nullptr) script.up = words(fields, "up");
  script.down = words(fields, "down");
  script.dry_run = words(fields, "dry_run");
  script.claims_rerunnable = fields.flag("claims_rerunnable").value_or(false);
  script.location = value.location;
  m_scenario.tool.scripts.push_back(std::move(script));
}

/// "1200", "40M", "1.5k": k, M and B are thousand, million and billion.
std::optional<double> Loader::amount(const Value& value, const std::string& key) {
  const std::string text = read_text(m_problems, value, key_named(key));
  const char unit = text.empty() ? '\0' : text.back();
  const double factor = unit == 'k' || unit == 'K' ? 1e3 : unit == 'M' ? 1e6 : unit == 'B' ? 1e9 : 1;
  const char* const end = text.data() + text.size() - (factor > 1 ? 1 : 0);
  double number = 0;
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec == std::errc() && read.ptr == end && number >= 0 && number * factor < 1e15)
    return number * factor;
  m_problems.report(value.location, fmt::format("key '{}': '{}' is no number", key, abridged(text, 40)),
                    "write it as 1200, 40M or 1.5k");
  return std::nullopt;
}

void Loader::load_production(const Value& value) {
  const Fields fields(m_problems, value, "production", {"rows", "writes_per_second"});
  if (const Value* writes = fields.find("writes_per_second"))
    m_scenario.production.writes_per_second = amount(*writes, "writes_per_second");
  const Value* const rows = fields.find("rows");
  if (rows == nullptr) return;
  if (rows->kind != Value::Kind::map) {
    m_problems.report(rows->location, "key 'rows': a map of tables and numbers is wanted",
                      "rows: {orders: 40M, users: 250k}");
    return;
  }
  for (std::size_t i = 0; i < rows->keys.size(); ++i) {
    const auto number = amount(rows->items[i], rows->keys[i].text);
    if (number) m_scenario.production.rows[rows->keys[i].text] = static_cast<std::int64_t>(*number);
  }
}

void Loader::load_selection(const Fields& fields) {
  Selection& selection = m_scenario.selection;
  selection.since = fields.optional_text("since");
  selection.last = fields.count("last");
  selection.since_ref = fields.optional_text("since_ref");
  if (const Value* value = fields.find("since_folder")) {
    selection.since_folder =
        existing(*value, read_text(m_problems, *value, key_named("since_folder")), "folder");
  }
  if (const Value* value = fields.find("only"))
    selection.only = read_texts(m_problems, *value, key_named("only"));
  Texts given;
  for (const char* key : {"since", "last", "only", "since_ref", "since_folder"}) {
    if (fields.find(key)) given.push_back(fmt::format("'{}'", key));
  }
  if (given.size() > 1) {
    m_problems.report(fields.location(),
                      fmt::format("keys {}: only one of them can be given", join(given, " and ")));
  }
}

void Loader::load_invariant(const Value& value) {
  const Fields fields(m_problems, value, "an invariant", {"name", "sql", "equals"});
  Invariant invariant{fields.required_text("name"), fields.required_text("sql"), answer(fields),
                      value.location};
  check_unique(m_invariant_names, invariant.name, value.location);
  m_scenario.invariants.push_back(std::move(invariant));
}

std::optional<std::string> Loader::referential_action(const Fields& fields, const std::string& key) {
  static const Texts k_actions = {"no action", "restrict", "cascade", "set null", "set default"};
  const auto written = fields.optional_text(key);
  if (!written) return std::nullopt;
  std::string action = lower(*written);
  if (std::find(k_actions.begin(), k_actions.end(), action) == k_actions.end()) {
    m_problems.report(fields.find(key)->location,
                      fmt::format("key '{}': '{}' is no action{}", key, abridged(*written, 40),
                                  did_you_mean(action, k_actions)),
                      fmt::format("the actions are: {}", join(k_actions, ", ")));
  }
  return action;
}

/// Keys that say nothing about this subject are mistakes, and so is saying more of what must not exist.
void Loader::check_attributes(const Fields& fields, const std::string& subject) {
  static const std::vector<std::pair<std::string, Texts>> k_attributes = {
      {"column", {"nullable", "type", "default"}},
      {"constraint", {"on_delete", "on_update", "validated"}},
      {"index", {"columns", "unique", "valid"}},
      {"sql", {"equals", "fails_before"}}};
  const bool exists = fields.flag("exists").value_or(true);
  for (const auto& [owner, attributes] : k_attributes) {
    for (const std::string& attribute : attributes) {
      const Value* const value = fields.find(attribute);
      if (value && owner != subject) {
        m_problems.report(value->location, fmt::format("key '{}': it belongs to '{}', not to '{}'", attribute,
                                                       owner, subject));
      } else if (value && !exists) {
        m_problems.report(
            value->location,
            fmt::format("key '{}': the {} must not exist, so nothing of it can", attribute, subject));
      }
    }
  }
  if (fields.find("exists") && subject == "sql") {
    m_problems.report(fields.find("exists")->location,
                      "key 'exists': it belongs to column, constraint and index");
  }
}

void Loader::load_expectation(const Value& value) {
  const Fields fields(
      m_problems, value, "a line of after_up",
      {"column", "constraint", "index", "sql", "nullable", "type", "default", "on_delete", "on_update",
       "validated", "columns", "unique", "valid", "equals", "fails_before", "exists", "not_before"});
  Texts subjects;
  for (const char* subject : {"column", "constraint", "index", "sql"}) {
    if (fields.find(subject)) subjects.emplace_back(subject);
  }
  if (subjects.size() != 1) {
    m_problems.report(value.location,
                      fmt::format("a line of after_up: exactly one of column, constraint, index and "
                                  "sql is wanted, not {}",
                                  subjects.empty() ? "none" : join(subjects, " and ")));
    return;
  }
  check_attributes(fields, subjects[0]);
  Expectation expectation;
  expectation.location = value.location;
  read_attributes(fields, expectation);
  if (const Value* column = fields.find("column");
      column && expectation.column.find('.') == std::string::npos) {
    m_problems.report(column->location,
                      fmt::format("column '{}': the table is missing", abridged(expectation.column)),
                      "write table.column or schema.table.column");
  }
  m_scenario.after_up.push_back(std::move(expectation));
}

void Loader::read_attributes(const Fields& fields, Expectation& expectation) {
  expectation.column = fields.text("column");
  expectation.constraint = fields.text("constraint");
  expectation.index = fields.text("index");
  expectation.sql = fields.text("sql");
  expectation.nullable = fields.flag("nullable");
  expectation.type = fields.optional_text("type");
  if (const Value* given = fields.find("default")) {
    const bool none = given->kind == Value::Kind::null;
    expectation.default_value = none ? std::string() : read_text(m_problems, *given, key_named("default"));
  }
  expectation.on_delete = referential_action(fields, "on_delete");
  expectation.on_update = referential_action(fields, "on_update");
  expectation.validated = fields.flag("validated");
  expectation.columns = fields.texts("columns");
  expectation.unique = fields.flag("unique");
  expectation.valid = fields.flag("valid");
  expectation.equals = answer(fields);
  expectation.fails_before = sqlstates(fields);
  expectation.exists = fields.flag("exists").value_or(true);
  expectation.not_before = fields.flag("not_before").value_or(false);
}

/// An answer may be empty, unlike other texts.
std::optional<std::string> Loader::answer(const Fields& fields) {
  const Value* const value = fields.find("equals");
  if (!value) return std::nullopt;
  if (value->kind != Value::Kind::scalar) read_text(m_problems, *value, key_named("equals"));
  return value->text;
}

/// One SQLSTATE or several (of SQLite the names of its result codes), since versions differ: what RESTRICT
/// refuses is 23503 up to PostgreSQL 17 and 23001 since.
Texts Loader::sqlstates(const Fields& fields) {
  Texts states = fields.texts("fails_before");
  for (const std::string& state : states) {
    const bool alphabet =
        state.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos;
    const bool code = state.starts_with("SQLITE_") &&
                      state.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == std::string::npos;
    if ((state.size() == 5 && alphabet) || code) continue;
    m_problems.report(fields.find("fails_before")->location,
                      fmt::format("key 'fails_before': '{}' is no SQLSTATE", abridged(state, 40)),
                      "an SQLSTATE is five digits or upper-case letters, for example 23502");
  }
  return states;
}

std::string Loader::rule(const Fields& fields) {
  std::string name = fields.required_text("rule");
  if (const Value* value = fields.find("rule")) check_rule(m_problems, name, value->location, m_rules);
  return name;
}

void Loader::load_allow(const Value& value) {
  const Fields fields(m_problems, value, "an allow", {"rule", "migration", "reason", "until"});
  m_scenario.allow.push_back({rule(fields), fields.text("migration"), fields.required_text("reason"),
                              fields.date("until"), value.location});
}

void Loader::load_expected_finding(const Value& value) {
  const Fields fields(m_problems, value, "an expected finding", {"rule", "migration"});
  m_scenario.expect_findings.push_back({rule(fields), fields.text("migration"), value.location});
}

std::optional<record::Level> Loader::level(const Value& value, const std::string& what) {
  const std::string name = read_text(m_problems, value, what);
  const auto found = record::level_named(name);
  if (!found) {
    m_problems.report(value.location,
                      fmt::format("{}: '{}' is no level{}", what, abridged(name, 40),
                                  did_you_mean(name, {"error", "warning", "note"})),
                      "the levels are: error, warning, note");
  }
  return found;
}

std::optional<record::Depth> Loader::depth(const Value& value) {
  const std::string name = read_text(m_problems, value, key_named("depth"));
  const auto found = record::value_named<record::Depth>(name);
  if (!found) {
    const auto names = record::names_of<record::Depth>();
    m_problems.report(
        value.location,
        fmt::format("key 'depth': '{}' is no depth{}", abridged(name, 40), did_you_mean(name, names)),
        "the depths are: " + join(names, ", "));
  }
  return found;
}

void Loader::load_levels(const Value& value) {
  if (value.kind != Value::Kind::map) {
    Fields(m_problems, value, key_named("levels"), {});
    return;
  }
  for (std::size_t i = 0; i < value.keys.size(); ++i) {
    const Value::Key& key = value.keys[i];
    check_rule(m_problems, key.text, key.location, m_rules);
    const auto found = level(value.items[i], key_named(key.text));
    m_scenario.levels.push_back({key.text, found.value_or(record::Level::error), key.location});
  }
}

}  // namespace

Result<Scenario> load(const std::string& path, const std::vector<std::string>& rules) {
  const Result<Value> root = read_yaml(path);
  if (!root) return failed(root);
  return Loader(path, rules).load(*root);
}

Result<std::vector<Allow>> load_baseline(const std::string& path, const std::vector<std::string>& rules) {
  const Result<Value> root = read_yaml(path);
  if (!root) return failed(root);
  return Loader(path, rules).load_baseline(*root);
}

Result<OldRelease> load_release(const std::string& path, std::string text, FolderAt folder_at) {
  const Result<Value> root = parse_yaml(path, std::move(text));
  if (!root) return failed(root);
  return Loader(path, {}, std::move(folder_at)).load_release(*root);
}

Scenario for_directory(const std::string& path) {
  static const std::set<std::string> k_says_little = {"migrations", "migration", "db",         "database",
                                                      "sql",        "postgres",  "postgresql", "schema"};
  std::error_code ignored;
  fs::path folder = fs::absolute(path, ignored).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  Scenario scenario;
  scenario.migrations_path = path;
  scenario.name = folder.filename().string();
  while (k_says_little.contains(folder.filename().string()) && folder.parent_path().has_filename()) {
    folder = folder.parent_path();
    scenario.name = (folder.filename() / scenario.name).string();
  }
  if (scenario.name.empty()) scenario.name = path;
  return scenario;
}

}  // namespace lockkeeper::scenario
