#include "scenario/load.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

namespace lockkeeper::scenario {
namespace {

namespace fs = std::filesystem;
using Texts = std::vector<std::string>;

const Texts k_rules = {"down-missing", "data-changed", "table-rewrite"};

/// A repository with fixtures/, db/migrations/ and scenarios/.
class LoadTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "lockkeeper-scenario-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    m_root = pattern;
    write("fixtures/schema.sql", "");
    write("fixtures/users.csv", "");
    write("db/migrations/1_a.up.sql", "");
    fs::create_directories(m_root / "scenarios");
  }
  void TearDown() override { fs::remove_all(m_root); }

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((m_root / name).parent_path());
    std::ofstream(m_root / name, std::ios::binary) << text;
  }
  std::string file() const { return (m_root / "scenarios" / "s.yaml").string(); }
  Result<Scenario> load_text(const std::string& text) const {
    write("scenarios/s.yaml", text);
    return load(file(), k_rules);
  }
  Scenario loaded(const std::string& text) const {
    const auto scenario = load_text(text);
    if (!scenario) throw std::runtime_error(to_string(scenario.error()));
    return *scenario;
  }
  /// A scenario with what every one needs on its first two lines.
  static std::string with(const std::string& text) {
    return "scenario: s\nmigrations: db/migrations\n" + text;
  }
  /// Message and hint, the file's path as FILE.
  std::string failure(const std::string& text) const { return scrubbed(load_text(text)); }
  std::string scrubbed(const Result<Scenario>& scenario) const {
    EXPECT_FALSE(scenario.has_value());
    if (scenario) return "";
    EXPECT_EQ(scenario.error().kind, FailureKind::usage);
    std::string said = to_string(scenario.error());
    for (std::size_t at = said.find(file()); at != std::string::npos; at = said.find(file())) {
      said.replace(at, file().size(), "FILE");
    }
    return said;
  }

  fs::path m_root;
};

TEST_F(LoadTest, a_whole_scenario_is_read) {
  const Scenario scenario = loaded(R"(scenario: vet-clinic indexes
engine: {postgres: {versions: [15, 17]}}
database: clinic
scale: 20
init: [CREATE ROLE a, CREATE ROLE b]
fixture:
  - fixtures/schema.sql
  - {path: fixtures/users.csv, table: public.users}
migrations: {path: db/migrations, format: plain, since: 20250101000000}
invariants:
  - {name: tenants, sql: 'SELECT count(*) FROM "Tenant"'}
  - {name: no orphans, sql: 'SELECT 0', equals: 0}
after_up:
  - {column: pagamentos.cliente_id, nullable: true, type: bigint, default: null, not_before: true}
  - {constraint: fk, on_delete: SET NULL, on_update: cascade, validated: false}
  - {index: i, columns: [tenantId, status], unique: false, valid: true}
  - {index: gone, exists: false}
  - {sql: 'INSERT INTO t VALUES (1)', fails_before: 23502, equals: ''}
queries:
  - {name: q, sql: 'SELECT $1', params: [a, 1, null, 'null', 0012], uses_index: i, at_most: 1.10x, at_least: 10x faster, same_result: false}
allow: [{rule: data-changed, migration: 0012, reason: on purpose, until: 2027-06-30}]
expect_findings: [{rule: down-missing}]
levels: {table-rewrite: note}
gate: warning
)");
  EXPECT_EQ(scenario.name, "vet-clinic indexes");
  EXPECT_EQ(scenario.file, file());
  EXPECT_EQ(scenario.postgres_versions, (std::vector<int>{15, 17}));
  EXPECT_EQ(scenario.database, "clinic");
  EXPECT_EQ(scenario.scale, 20);
  EXPECT_EQ(scenario.init, (Texts{"CREATE ROLE a", "CREATE ROLE b"}));
  ASSERT_EQ(scenario.fixtures.size(), 2U);
  EXPECT_EQ(scenario.fixtures[0].path, (m_root / "fixtures/schema.sql").string());
  EXPECT_EQ(scenario.fixtures[0].location, (Location{file(), 7, 5}));
  EXPECT_EQ(scenario.fixtures[1].table, "public.users");
  EXPECT_EQ(scenario.migrations_path, (m_root / "db/migrations").string());
  EXPECT_EQ(scenario.format, "plain");
  EXPECT_EQ(scenario.selection.since, "20250101000000");
  ASSERT_EQ(scenario.invariants.size(), 2U);
  EXPECT_EQ(scenario.invariants[0].equals, std::nullopt);
  EXPECT_EQ(scenario.invariants[1].equals, "0");
  EXPECT_EQ(scenario.invariants[1].location, (Location{file(), 12, 5}));
  ASSERT_EQ(scenario.after_up.size(), 5U);
  EXPECT_EQ(scenario.after_up[0].nullable, true);
  EXPECT_EQ(scenario.after_up[0].default_value, "");
  EXPECT_TRUE(scenario.after_up[0].not_before);
  EXPECT_EQ(scenario.after_up[1].on_delete, "set null");
  EXPECT_EQ(scenario.after_up[2].columns, (Texts{"tenantId", "status"}));
  EXPECT_FALSE(scenario.after_up[3].exists);
  EXPECT_EQ(scenario.after_up[4].fails_before, Texts{"23502"});
  EXPECT_EQ(scenario.after_up[4].equals, "");
  ASSERT_EQ(scenario.queries.size(), 1U);
  EXPECT_EQ(scenario.queries[0].parameter_sets,
            (std::vector<Parameters>{{"a", "1", std::nullopt, "null", "0012"}}));
  EXPECT_DOUBLE_EQ(*scenario.queries[0].at_most, 1.1);
  EXPECT_DOUBLE_EQ(*scenario.queries[0].at_least_faster, 10);
  EXPECT_FALSE(scenario.queries[0].same_result);
  ASSERT_EQ(scenario.allow.size(), 1U);
  EXPECT_EQ(scenario.allow[0].migration, "0012");
  EXPECT_EQ(scenario.allow[0].until, "2027-06-30");
  EXPECT_EQ(scenario.expect_findings.at(0).rule, "down-missing");
  EXPECT_EQ(scenario.levels.at(0).level, record::Level::note);
  EXPECT_EQ(scenario.gate, record::Level::warning);
}

TEST_F(LoadTest, little_is_enough) {
  const Scenario scenario = loaded("\xEF\xBB\xBFscenario: s\r\nmigrations: db/migrations\r\n");
  EXPECT_TRUE(scenario.selection.empty());
  EXPECT_TRUE(scenario.postgres_versions.empty());
  EXPECT_EQ(scenario.database, "lockkeeper");
  EXPECT_EQ(scenario.gate, std::nullopt);
  EXPECT_EQ(loaded(with("engine: postgres\nfixture: fixtures/schema.sql\ninit: SELECT 1\n")).init,
            Texts{"SELECT 1"});
  EXPECT_TRUE(loaded(with("engine: {postgres: }")).postgres_versions.empty());
  const Scenario sqlite = loaded(with("engine: {sqlite: {foreign_keys: on, journal_mode: wal}}"));
  EXPECT_EQ(sqlite.engine, "sqlite");
  EXPECT_EQ(sqlite.pragmas, (std::vector<std::pair<std::string, std::string>>{{"foreign_keys", "on"},
                                                                              {"journal_mode", "wal"}}));
  EXPECT_TRUE(loaded(with("engine: sqlite")).pragmas.empty());
}

TEST_F(LoadTest, versions_keep_their_text) {
  EXPECT_EQ(loaded("scenario: s\nmigrations: {path: db/migrations, since: 0012}").selection.since, "0012");
  EXPECT_EQ(
      loaded("scenario: s\nmigrations: {path: db/migrations, only: [0o7, 1.20, 2023-01-01]}").selection.only,
      (Texts{"0o7", "1.20", "2023-01-01"}));
  EXPECT_EQ(loaded("scenario: s\nmigrations: {path: db/migrations, last: 3}").selection.last, 3);
  EXPECT_EQ(
      loaded("scenario: s\nmigrations: {path: db/migrations, since_ref: origin/main}").selection.since_ref,
      "origin/main");
}

TEST_F(LoadTest, unknown_keys_are_refused) {
  EXPECT_EQ(
      failure(with("invariant: []")),
      "FILE:3:1: error: unknown key 'invariant' (did you mean 'invariants'?)\n"
      "hint: a scenario knows: scenario, engine, database, scale, init, fixture, fixture_at, migrations, "
      "invariants, after_up, "
      "queries, allow, expect_findings, levels, gate, depth, "
      "longest_wait_ms, production, writes, seed_rows, old_release, release, benchmark, sizes, "
      "statistics");
  EXPECT_EQ(failure(with("queries:\n  - {name: ü, sqll: x}")),
            "FILE:4:15: error: unknown key 'sqll' (did you mean 'sql'?)\n"
            "hint: a query knows: name, sql, params, uses_index, at_most, at_least, same_result, writes, "
            "folder");
  EXPECT_NE(failure(with("<<: {a: b}")).find("FILE:3:1: error: unknown key '<<'"), std::string::npos);
}

struct Refused {
  const char* text;
  const char* said;
};

TEST_F(LoadTest, wrong_values_are_refused_where_they_stand) {
  const Refused cases[] = {
      {"scale: many", "FILE:3:8: error: key 'scale': a whole number from 1 on is wanted, not 'many'"},
      {"scale: 0", "FILE:3:8: error: key 'scale': a whole number from 1 on is wanted, not '0'"},
      {"scale: 99999999999",
       "FILE:3:8: error: key 'scale': a whole number from 1 on is wanted, not '99999999999'"},
      {"gate: [a]", "FILE:3:7: error: key 'gate': text is wanted, not a list"},
      {"gate: warn",
       "FILE:3:7: error: key 'gate': 'warn' is no level\nhint: the levels are: error, warning, note"},
      {"init:", "FILE:3:1: error: key 'init': text is wanted, not nothing"},
      {"init: []", "FILE:3:7: error: key 'init': the list is empty"},
      {"engine: {sqlite: {foreign_key: on}}",
       "FILE:3:19: error: unknown key 'foreign_key' (did you mean 'foreign_keys'?)\nhint: sqlite knows: "
       "application_id, auto_vacuum, automatic_index, busy_timeout, cache_size, case_sensitive_like, "
       "cell_size_check, defer_foreign_keys, encoding, foreign_keys, ignore_check_constraints, journal_mode, "
       "journal_size_limit, legacy_alter_table, locking_mode, mmap_size, page_size, recursive_triggers, "
       "reverse_unordered_selects, secure_delete, synchronous, temp_store, trusted_schema, user_version, "
       "wal_autocheckpoint"},
      {"engine: {sqlite: {journal_mode: 'wal; DROP TABLE t'}}",
       "FILE:3:19: error: key 'journal_mode' 'wal; DROP TABLE t': not a value of a PRAGMA\nhint: a number or "
       "a "
       "word, for example: foreign_keys: on"},
      {"engine: postgers",
       "FILE:3:9: error: engine 'postgers': not known (did you mean 'postgres'?)\nhint: the engines are "
       "postgres and sqlite"},
      {"engine: {postgres: {versions: [12]}}",
       "FILE:3:32: error: PostgreSQL version '12': outside of 13 to 18"},
      {"engine: {postgres: {versions: [15, 15]}}",
       "FILE:3:36: error: PostgreSQL version '15': stands here twice"},
      {"database: postgres",
       "FILE:3:11: error: database 'postgres': the server has one of this name\nhint: take another name"},
      {"invariants: {name: a, sql: b}", "FILE:3:13: error: key 'invariants': a list is wanted, not a map"},
      {"invariants: [{name: a}]", "FILE:3:14: error: an invariant: key 'sql' is missing"},
      {"invariants: [a]", "FILE:3:14: error: an invariant: a map is wanted, not 'a'"},
      {"invariants: [{name: a, sql: b}, {name: a, sql: c}]",
       "FILE:3:33: error: name 'a': stands here twice\nhint: reports tell them apart by name"},
      {"invariants: [{name: a, sql: b, equals: [1]}]",
       "FILE:3:40: error: key 'equals': text is wanted, not a list"},
      {"after_up: [{column: a.b, index: c}]",
       "FILE:3:12: error: a line of after_up: exactly one of column, constraint, index and sql is wanted, "
       "not column and "
       "index"},
      {"after_up: [{nullable: true}]",
       "FILE:3:12: error: a line of after_up: exactly one of column, constraint, index and sql is wanted, "
       "not none"},
      {"after_up: [{column: b}]",
       "FILE:3:21: error: column 'b': the table is missing\nhint: write table.column or schema.table.column"},
      {"after_up: [{column: a.b, nullable: yes}]",
       "FILE:3:36: error: key 'nullable': true or false is wanted, not 'yes'"},
      {"after_up: [{index: i, nullable: true}]",
       "FILE:3:33: error: key 'nullable': it belongs to 'column', not to 'index'"},
      {"after_up: [{index: i, exists: false, unique: true}]",
       "FILE:3:46: error: key 'unique': the index must not exist, so nothing of it can"},
      {"after_up: [{sql: x, exists: false}]",
       "FILE:3:29: error: key 'exists': it belongs to column, constraint and index"},
      {"after_up: [{sql: x, fails_before: never}]",
       "FILE:3:35: error: key 'fails_before': 'never' is no SQLSTATE\n"
       "hint: an SQLSTATE is five digits or upper-case letters, for example 23502"},
      {"after_up: [{sql: x, fails_before: ['23503', '2300']}]",
       "FILE:3:35: error: key 'fails_before': '2300' is no SQLSTATE\n"
       "hint: an SQLSTATE is five digits or upper-case letters, for example 23502"},
      {"after_up: [{constraint: c, on_delete: setnull}]",
       "FILE:3:39: error: key 'on_delete': 'setnull' is no action (did you mean 'set null'?)\n"
       "hint: the actions are: no action, restrict, cascade, set null, set default"},
      {"allow: [{rule: data-changed}]", "FILE:3:9: error: an allow: key 'reason' is missing"},
      {"allow: [{reason: x}]", "FILE:3:9: error: an allow: key 'rule' is missing"},
      {"allow: [{rule: data-change, reason: x}]",
       "FILE:3:16: error: rule 'data-change': not known (did you mean 'data-changed'?)\nhint: 'lockkeeper "
       "rules' lists them"},
      {"allow: [{rule: data-changed, reason: x, until: 2027-02-29}]",
       "FILE:3:48: error: key 'until': a date (YYYY-MM-DD) is wanted, not '2027-02-29'"},
      {"expect_findings: [{rule: zzzzzzzzzz}]",
       "FILE:3:26: error: rule 'zzzzzzzzzz': not known\nhint: 'lockkeeper rules' lists them"},
      {"levels: {down-mising: note}",
       "FILE:3:10: error: rule 'down-mising': not known (did you mean 'down-missing'?)\nhint: 'lockkeeper "
       "rules' lists them"},
      {"levels: [a]", "FILE:3:9: error: key 'levels': a map is wanted, not a list"},
      {"scale: 1\nscale: 2", "FILE:4:1: error: key 'scale': stands here twice\nhint: keep one of the two"},
      {"fixture: [{path: fixtures/schema.sql, table: t}]",
       "FILE:3:11: error: fixture 'fixtures/schema.sql': only a .csv file takes a table"},
  };
  for (const Refused& refused : cases) EXPECT_EQ(failure(with(refused.text)), refused.said) << refused.text;
}

TEST_F(LoadTest, required_keys_are_missed) {
  EXPECT_EQ(failure("migrations: db/migrations"), "FILE:1:1: error: a scenario: key 'scenario' is missing");
  EXPECT_EQ(failure("scenario: s"), "FILE:1:1: error: a scenario: key 'migrations' is missing");
  EXPECT_EQ(failure("scenario: s\nmigrations: {last: 1}"),
            "FILE:2:13: error: migrations: key 'path' is missing");
  EXPECT_EQ(failure("scenario: ''\nmigrations: db/migrations"),
            "FILE:1:11: error: key 'scenario': text is wanted, not ''");
}

TEST_F(LoadTest, only_one_selection_can_be_given) {
  EXPECT_EQ(failure("scenario: s\nmigrations: {path: db/migrations, since: 1, last: 2}"),
            "FILE:2:13: error: keys 'since' and 'last': only one of them can be given");
}

TEST_F(LoadTest, missing_files_are_named_with_what_is_there) {
  const std::string hint =
      "\nhint: paths are looked up from the scenario's folder, from each one above it, and from the working "
      "directory";
  EXPECT_EQ(failure(with("fixture: fixtures/shema.sql")),
            "FILE:3:10: error: fixture 'fixtures/shema.sql': no such file or directory (did you mean "
            "'fixtures/schema.sql'?)" +
                hint);
  EXPECT_EQ(failure("scenario: s\nmigrations: db/migratoins"),
            "FILE:2:13: error: migrations 'db/migratoins': no such file or directory (did you mean "
            "'db/migrations'?)" +
                hint);
  EXPECT_EQ(failure("scenario: s\nmigrations: fixtures/schema.sql"),
            "FILE:2:13: error: migrations 'fixtures/schema.sql': not a directory\n"
            "hint: name the folder that holds the migrations");
}

TEST_F(LoadTest, paths_begin_at_the_nearest_folder_that_has_them) {
  write("scenarios/fixtures/schema.sql", "");
  EXPECT_EQ(loaded(with("fixture: fixtures/schema.sql")).fixtures.at(0).path,
            (m_root / "scenarios/fixtures/schema.sql").string());
  EXPECT_EQ(loaded(with("fixture: fixtures/users.csv")).fixtures.at(0).path,
            (m_root / "fixtures/users.csv").string());
  EXPECT_EQ(loaded(with("fixture: ../fixtures/users.csv")).fixtures.at(0).path,
            (m_root / "fixtures/users.csv").string());
  EXPECT_EQ(loaded(with("fixture: " + (m_root / "fixtures/users.csv").string())).fixtures.at(0).path,
            (m_root / "fixtures/users.csv").string());
}

TEST_F(LoadTest, what_is_no_scenario_at_all_is_refused) {
  EXPECT_EQ(failure(""),
            "FILE: error: scenario 'FILE': the file is empty\n"
            "hint: a scenario needs at least the keys 'scenario' and 'migrations'");
  EXPECT_NE(failure("# only a comment\n").find("the file is empty"), std::string::npos);
  EXPECT_EQ(failure("just text"), "FILE:1:1: error: a scenario: a map is wanted, not 'just text'");
  EXPECT_EQ(failure("a: 1\n---\nb: 2\n"),
            "FILE:3:1: error: scenario 'FILE': more than one document\n"
            "hint: write each scenario into a file of its own");
  EXPECT_NE(failure("scenario: a: b\n").find("FILE:1:12: error: scenario 'FILE': not YAML: "),
            std::string::npos);
  EXPECT_NE(failure("a: [1, 2\n").find("not YAML: "), std::string::npos);
  EXPECT_NE(failure("scenario: *nobody\n").find("not YAML: "), std::string::npos);
  EXPECT_EQ(failure("? [a]\n: b\n"), "FILE:1:3: error: scenario 'FILE': a key must be text");
  EXPECT_EQ(failure("scenario: s\nx: caf\xE9\n"),
            "FILE:2: error: scenario 'FILE': not UTF-8 text\nhint: save the file as UTF-8");
  EXPECT_EQ(failure(std::string(1'100'000, '#')),
            "FILE: error: scenario 'FILE': 1.0 MB is too large for a scenario\n"
            "hint: rows belong into a fixture, statements into migrations");
}

TEST_F(LoadTest, a_release_is_read_with_all_that_it_names) {
  const auto plan =
      loaded(with("release:\n"
                  "  backups: [custom, {form: directory, jobs: 4, compress: 0}, {name: own, command: 'x > "
                  "{file}'}]\n"
                  "  roads: [downs, {restore: custom, over: true}]\n"
                  "  on_failure: {restore: own}\n"
                  "  restore_within: 1.5 h\n"
                  "  downtime_at_most: 500 ms\n"
                  "  pre_checks: [{name: orphans, sql: SELECT 0, equals: 0}]\n"
                  "  checklist: [told, {point: no orphans, by: orphans}, {point: taken, by: backups}]"))
          .release.value();
  ASSERT_EQ(plan.backups.size(), 3U);
  EXPECT_EQ(plan.backups[1].name, "directory");
  EXPECT_EQ(plan.backups[1].jobs, 4);
  EXPECT_EQ(plan.backups[1].compress, 0);
  EXPECT_EQ(plan.backups[2].form, record::BackupForm::command);
  ASSERT_EQ(plan.roads.size(), 2U);
  EXPECT_TRUE(plan.names_roads);
  EXPECT_EQ(plan.roads[0].backup, "");
  EXPECT_TRUE(plan.roads[1].over);
  EXPECT_EQ(plan.on_failure->backup, "own");
  EXPECT_EQ(plan.restore_within, std::chrono::minutes(90));
  EXPECT_EQ(plan.downtime_at_most, std::chrono::milliseconds(500));
  EXPECT_EQ(plan.checklist[0].by, "");
  EXPECT_EQ(plan.checklist[1].by, "orphans");
}

TEST_F(LoadTest, a_release_that_makes_no_sense_is_refused_where_it_stands) {
  const Refused cases[] = {
      {"release: {backups: [custum]}",
       "FILE:3:21: error: backup 'custum': no such form (did you mean 'custom'?)"},
      {"release: {backups: [custom, custom]}", "FILE:3:29: error: backup 'custom': stands here twice"},
      {"release: {backups: [{form: custom, command: x}]}",
       "FILE:3:21: error: a backup: either 'form' or 'command' is wanted"},
      {"release: {backups: [{name: ../../etc/passwd, form: custom}]}",
       "FILE:3:21: error: backup '../../etc/passwd': no name for a file"},
      {"release: {backups: [{form: custom, compress: 11}]}",
       "FILE:3:46: error: key 'compress': '11' is no level"},
      {"release: {backups: [custom], roads: [{restore: plain}]}",
       "FILE:3:38: error: way back 'plain': no such backup"},
      {"release: {roads: [ups]}", "FILE:3:19: error: way back 'ups': not known"},
      {"release: {restore_within: soon}",
       "FILE:3:27: error: key 'restore_within': 'soon' is no span of time"},
      {"release: {restore_within: -5 min}",
       "FILE:3:27: error: key 'restore_within': '-5 min' is no span of time"},
      {"release: {checklist: [{point: a, by: backup}]}",
       "FILE:3:23: error: by 'backup': no such step or check (did you mean 'backups'?)"},
      {"release: {expect_findings: [{rule: restore-fail}]}",
       "FILE:3:29: error: rule 'restore-fail': not known"},
      {"release: {backup: []}", "FILE:3:11: error: unknown key 'backup' (did you mean 'backups'?)"},
  };
  for (const Refused& refused : cases)
    EXPECT_EQ(failure(with(refused.text)).find(refused.said), 0U) << failure(with(refused.text));
}

TEST_F(LoadTest, files_that_cannot_be_read_are_named) {
  EXPECT_EQ(load((m_root / "none.yaml").string(), k_rules).error().message,
            "cannot read '" + (m_root / "none.yaml").string() + "': No such file or directory");
  EXPECT_EQ(load(m_root.string(), k_rules).error().message,
            "cannot read '" + m_root.string() + "': Is a directory");
}

TEST_F(LoadTest, bombs_do_not_go_off) {
  std::string aliases = "a: &a0 [x]\n";
  for (int i = 1; i < 40; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    aliases += "k" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + ", " + before + ", " +
               before + "]\n";
  }
  EXPECT_NE(failure(aliases).find("nested or repeated beyond reason"), std::string::npos);
  std::string wide = "x: &x [a, b, c, d, e, f, g, h]\ny: &y [*x, *x, *x, *x, *x, *x, *x, *x]\ninvariants: [";
  for (int i = 0; i < 5000; ++i) wide += "*y, ";
  EXPECT_NE(failure(wide + "*y]").find("nested or repeated beyond reason"), std::string::npos);
  EXPECT_FALSE(load_text("a: &a [*a]").has_value());
  EXPECT_FALSE(load_text("scenario: " + std::string(100'000, '[')).has_value());
  EXPECT_FALSE(load_text("scenario: " + std::string(100'000, '{')).has_value());
  std::string dashes;
  for (int i = 0; i < 50'000; ++i) dashes += "- ";
  EXPECT_FALSE(load_text(dashes).has_value());
}

TEST_F(LoadTest, aliases_are_put_in) {
  EXPECT_EQ(loaded(with("invariants: [{name: &n a, sql: *n}]")).invariants.at(0).sql, "a");
}

TEST(ForDirectory, is_named_after_its_folder) {
  EXPECT_EQ(for_directory("/x/shop").name, "shop");
  EXPECT_EQ(for_directory("/x/shop/").name, "shop");
  EXPECT_EQ(for_directory("/x/shop/migrations").name, "shop/migrations");
  EXPECT_EQ(for_directory("/x/shop/db/migrations/.").name, "shop/db/migrations");
  EXPECT_EQ(for_directory("/").name, "/");
  EXPECT_EQ(for_directory("shop/../store").name, "store");
  EXPECT_EQ(for_directory("shop/x").migrations_path, "shop/x");
  EXPECT_EQ(for_directory("shop/x").file, "");
}

TEST(Describe, says_what_must_hold) {
  Expectation column;
  column.column = "t.c";
  EXPECT_EQ(column.describe(), "column t.c exists");
  column.nullable = true;
  EXPECT_EQ(column.describe(), "column t.c is nullable");
  column.nullable = false;
  column.type = "bigint";
  column.default_value = "0";
  EXPECT_EQ(column.describe(), "column t.c is not nullable and has type bigint and has default 0");
  Expectation gone;
  gone.column = "t.c";
  gone.exists = false;
  EXPECT_EQ(gone.describe(), "column t.c does not exist");
  Expectation undefaulted;
  undefaulted.column = "t.c";
  undefaulted.default_value = "";
  EXPECT_EQ(undefaulted.describe(), "column t.c has no default");
  Expectation constraint;
  constraint.constraint = "fk";
  constraint.on_delete = "set null";
  constraint.on_update = "cascade";
  constraint.validated = true;
  EXPECT_EQ(constraint.describe(),
            "constraint fk has on delete set null and has on update cascade and is validated");
  Expectation index;
  index.index = "i";
  index.columns = {"a", "b"};
  index.unique = false;
  index.valid = true;
  EXPECT_EQ(index.describe(), "index i has columns (a, b) and is not unique and is valid");
  Expectation sql;
  sql.sql = "INSERT\n  INTO t";
  EXPECT_EQ(sql.describe(), "sql 'INSERT INTO t' runs");
  sql.fails_before = {"23502"};
  EXPECT_EQ(sql.describe(), "sql 'INSERT INTO t' runs and fails before with 23502");
  sql.equals = "1";
  EXPECT_EQ(sql.describe(), "sql 'INSERT INTO t' answers 1 and fails before with 23502");
  sql.fails_before = {"23503", "23001"};
  EXPECT_EQ(sql.describe(), "sql 'INSERT INTO t' answers 1 and fails before with 23503 or 23001");
}

}  // namespace
}  // namespace lockkeeper::scenario
