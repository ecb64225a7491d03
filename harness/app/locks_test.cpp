#include <chrono>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program_test.h"
#include "base/text.h"

/// What PostgreSQL locks, scans and rewrites, and what the rules say of it, change by change on real servers.
/// LOCKKEEPER_TEST_SERVERS names further directories of server programs to run on, with colons between.
namespace lockkeeper::app::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// One migration over a table of its own; {t} is its name. `lock` is the strongest on {t} ("" where none is
/// taken or known, "*" where versions differ), `findings` the rules of locks and traffic that it must raise,
/// and no others.
struct Change {
  const char* name;
  const char* up;
  const char* lock;
  std::set<std::string> findings;
  const char* fixture = "";  ///< further statements, before
  /// What is found of it in a DO block or a function, where that is not the same: what came first inside is
  /// not known there.
  std::optional<std::set<std::string>> inside = {};
};

const std::set<std::string> k_rewritten{"blocks-reads", "table-rewrite"};

const std::vector<Change>& changes() {
  static const std::vector<Change> k_changes{
      {"add_column", "ALTER TABLE {t} ADD COLUMN x text;", "AccessExclusiveLock", {}},
      {"add_column_json", "ALTER TABLE {t} ADD COLUMN x json;", "AccessExclusiveLock", {}},
      {"add_constant", "ALTER TABLE {t} ADD COLUMN x int NOT NULL DEFAULT 1;", "AccessExclusiveLock", {}},
      {"add_now", "ALTER TABLE {t} ADD COLUMN x timestamptz DEFAULT now();", "AccessExclusiveLock", {}},
      {"add_random", "ALTER TABLE {t} ADD COLUMN x float DEFAULT random();", "AccessExclusiveLock",
       k_rewritten},
      {"add_serial", "ALTER TABLE {t} ADD COLUMN x serial;", "AccessExclusiveLock", k_rewritten},
      {"add_identity", "ALTER TABLE {t} ADD COLUMN x int GENERATED ALWAYS AS IDENTITY;",
       "AccessExclusiveLock", k_rewritten},
      {"add_stored", "ALTER TABLE {t} ADD COLUMN x int GENERATED ALWAYS AS (a + 1) STORED;",
       "AccessExclusiveLock", k_rewritten},
      {"not_null", "ALTER TABLE {t} ALTER COLUMN a SET NOT NULL;", "AccessExclusiveLock", {"blocks-reads"}},
      {"not_null_under_a_check",
       "ALTER TABLE {t} ALTER COLUMN a SET NOT NULL;",
       "AccessExclusiveLock",
       {},
       "ALTER TABLE {t} ADD CHECK (a IS NOT NULL);"},
      {"nullable",
       "ALTER TABLE {t} ALTER COLUMN id DROP NOT NULL;",
       "AccessExclusiveLock",
       {},
       "ALTER TABLE {t} DROP CONSTRAINT {t}_pkey;"},
      {"default", "ALTER TABLE {t} ALTER COLUMN a SET DEFAULT 3;", "AccessExclusiveLock", {}},
      {"rename", "ALTER TABLE {t} RENAME COLUMN a TO z;", "AccessExclusiveLock", {}},
      {"drop_column", "ALTER TABLE {t} DROP COLUMN b;", "AccessExclusiveLock", {}},
      {"check", "ALTER TABLE {t} ADD CHECK (a > 0);", "AccessExclusiveLock", {"blocks-reads"}},
      {"check_not_valid", "ALTER TABLE {t} ADD CHECK (a > 0) NOT VALID;", "AccessExclusiveLock", {}},
      {"validate_check",
       "ALTER TABLE {t} VALIDATE CONSTRAINT k;",
       "ShareUpdateExclusiveLock",
       {},
       "ALTER TABLE {t} ADD CONSTRAINT k CHECK (a > 0) NOT VALID;"},
      {"not_valid_and_validate",
       "ALTER TABLE {t} ADD CONSTRAINT k CHECK (a > 0) NOT VALID; ALTER TABLE {t} VALIDATE CONSTRAINT k;",
       "AccessExclusiveLock",
       {"blocks-reads"}},
      {"foreign_key",
       "ALTER TABLE {t} ADD FOREIGN KEY (a) REFERENCES parent;",
       "ShareRowExclusiveLock",
       {"blocks-writes"}},
      {"foreign_key_not_valid",
       "ALTER TABLE {t} ADD FOREIGN KEY (a) REFERENCES parent NOT VALID;",
       "ShareRowExclusiveLock",
       {}},
      {"validate_foreign_key",
       "ALTER TABLE {t} VALIDATE CONSTRAINT k;",
       "ShareUpdateExclusiveLock",
       {},
       "ALTER TABLE {t} ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES parent NOT VALID;"},
      {"unique", "ALTER TABLE {t} ADD UNIQUE (id, a);", "AccessExclusiveLock", {"blocks-reads"}},
      {"unique_using_index",
       "ALTER TABLE {t} ADD CONSTRAINT k_{t} UNIQUE USING INDEX i_{t};",
       "AccessExclusiveLock",
       {},
       "CREATE UNIQUE INDEX i_{t} ON {t} (id, a);"},
      {"exclude", "ALTER TABLE {t} ADD EXCLUDE (id WITH =);", "AccessExclusiveLock", {"blocks-reads"}},
      {"index", "CREATE INDEX ON {t} (a);", "ShareLock", {"blocks-writes"}},
      {"index_concurrently", "CREATE INDEX CONCURRENTLY i_{t} ON {t} (a);", "*", {}},
      {"vacuum", "VACUUM {t};", "*", {}},
      {"vacuum_full", "VACUUM FULL {t};", "AccessExclusiveLock", k_rewritten},
      {"vacuum_full_empty", "VACUUM FULL {t};", "AccessExclusiveLock", {}, "TRUNCATE {t};"},
      {"reindex_concurrently", "REINDEX TABLE CONCURRENTLY {t};", "*", {}},
      {"drop_index", "DROP INDEX i_{t};", "AccessExclusiveLock", {}, "CREATE INDEX i_{t} ON {t} (a);"},
      {"reindex", "REINDEX TABLE {t};", "ShareLock", {"blocks-writes"}},
      {"reindex_index", "REINDEX INDEX {t}_pkey;", "ShareLock", {"blocks-writes"}},
      {"wider_integer", "ALTER TABLE {t} ALTER COLUMN a TYPE bigint;", "AccessExclusiveLock", k_rewritten},
      {"narrower_text", "ALTER TABLE {t} ALTER COLUMN b TYPE varchar(50);", "AccessExclusiveLock",
       k_rewritten},
      {"wider_varchar",
       "ALTER TABLE {t} ALTER COLUMN v TYPE varchar(100);",
       "AccessExclusiveLock",
       {},
       "ALTER TABLE {t} ADD v varchar(50) DEFAULT 'x';"},
      {"varchar_to_text",
       "ALTER TABLE {t} ALTER COLUMN v TYPE text;",
       "AccessExclusiveLock",
       {},
       "ALTER TABLE {t} ADD v varchar(50) DEFAULT 'x';"},
      {"wider_numeric",
       "ALTER TABLE {t} ALTER COLUMN v TYPE numeric(12, 2);",
       "AccessExclusiveLock",
       {},
       "ALTER TABLE {t} ADD v numeric(10, 2) DEFAULT 1;"},
      {"timestamptz_in_utc",
       "SET LOCAL timezone = 'UTC'; ALTER TABLE {t} ALTER COLUMN at TYPE timestamptz;",
       "AccessExclusiveLock",
       {}},
      {"timestamptz_elsewhere",
       "SET LOCAL timezone = 'America/New_York'; ALTER TABLE {t} ALTER COLUMN at TYPE timestamptz;",
       "AccessExclusiveLock", k_rewritten},
      {"truncate", "TRUNCATE {t};", "AccessExclusiveLock", {}},
      {"cluster", "CLUSTER {t} USING {t}_pkey;", "AccessExclusiveLock", k_rewritten},
      {"unlogged", "ALTER TABLE {t} SET UNLOGGED;", "AccessExclusiveLock", k_rewritten},
      {"trigger",
       "CREATE TRIGGER g BEFORE UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION "
       "suppress_redundant_updates_trigger();",
       "ShareRowExclusiveLock",
       {}},
      {"row_security", "ALTER TABLE {t} ENABLE ROW LEVEL SECURITY;", "AccessExclusiveLock", {}},
      {"refresh",
       "REFRESH MATERIALIZED VIEW v_{t};",
       "AccessShareLock",
       {"blocks-reads"},
       "CREATE MATERIALIZED VIEW v_{t} AS SELECT * FROM {t};"},
      {"attach",
       "ALTER TABLE p_{t} ATTACH PARTITION {t} FOR VALUES FROM (0) TO (1000);",
       "AccessExclusiveLock",
       {"blocks-reads"},
       "CREATE TABLE p_{t} (LIKE {t}) PARTITION BY RANGE (id);"},
      {"attach_under_a_check",
       "ALTER TABLE p_{t} ATTACH PARTITION {t} FOR VALUES FROM (0) TO (1000);",
       "AccessExclusiveLock",
       {},
       "CREATE TABLE p_{t} (LIKE {t}) PARTITION BY RANGE (id); "
       "ALTER TABLE {t} ADD CHECK (id IS NOT NULL AND id >= 0 AND id < 1000);"},
      {"detach",
       "ALTER TABLE p_{t} DETACH PARTITION {t};",
       "*",
       {},
       "CREATE TABLE p_{t} (LIKE {t}) PARTITION BY RANGE (id); "
       "ALTER TABLE p_{t} ATTACH PARTITION {t} FOR VALUES FROM (0) TO (1000);"},
      {"index_on_partitions",
       "CREATE INDEX ON p_{t} (a);",
       "ShareLock",
       {"blocks-writes"},
       "CREATE TABLE p_{t} (LIKE {t}) PARTITION BY RANGE (id); "
       "ALTER TABLE p_{t} ATTACH PARTITION {t} FOR VALUES FROM (0) TO (1000);"},
      {"foreign_key_of_partitions",
       "ALTER TABLE p_{t} ADD FOREIGN KEY (a) REFERENCES parent;",
       "ShareRowExclusiveLock",
       {"blocks-writes"},
       "CREATE TABLE p_{t} (LIKE {t}) PARTITION BY RANGE (id); "
       "ALTER TABLE p_{t} ATTACH PARTITION {t} FOR VALUES FROM (0) TO (1000);"},
      {"domain_check",
       "ALTER DOMAIN d_{t} ADD CHECK (VALUE > 0);",
       "ShareLock",
       {"blocks-writes"},
       "CREATE DOMAIN d_{t} AS int; ALTER TABLE {t} ADD v d_{t} DEFAULT 1;"},
      {"domain_check_not_valid",
       "ALTER DOMAIN d_{t} ADD CHECK (VALUE > 0) NOT VALID;",
       "",
       {},
       "CREATE DOMAIN d_{t} AS int; ALTER TABLE {t} ADD v d_{t} DEFAULT 1;"},
      {"enum", "ALTER TYPE e_{t} ADD VALUE 'z';", "", {}, "CREATE TYPE e_{t} AS ENUM ('a');"},
      {"grant", "GRANT SELECT ON {t} TO public;", "*", {}},
      {"references", "CREATE TABLE n_{t} (x int REFERENCES {t});", "ShareRowExclusiveLock", {}},
      {"do_block",
       "DO $$ BEGIN ALTER TABLE {t} ALTER COLUMN a SET NOT NULL; END $$;",
       "AccessExclusiveLock",
       {"blocks-reads"}},
      {"function",
       "SELECT f_{t}();",
       "ShareLock",
       {"blocks-writes"},
       "CREATE FUNCTION f_{t}() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE INDEX ON {t} (a); END $$;"},
      {"procedure",
       "CALL f_{t}();",
       "AccessExclusiveLock",
       {"blocks-reads"},
       "CREATE PROCEDURE f_{t}() LANGUAGE sql AS 'ALTER TABLE {t} ADD CHECK (a > 0)';"},
      {"update_all", "UPDATE {t} SET a = a + 1;", "RowExclusiveLock", {}},
      {"column_and_update",
       "ALTER TABLE {t} ADD COLUMN x text; UPDATE {t} SET x = 'y';",
       "AccessExclusiveLock",
       {"blocks-reads"}},
      {"held_while_another_is_filled",
       "ALTER TABLE {t} ADD COLUMN x text; UPDATE o_{t} SET a = 2;",
       "AccessExclusiveLock",
       {"lock-held-on"},
       "CREATE TABLE o_{t} AS SELECT * FROM {t};",
       std::set<std::string>{}},
      {"written_then_locked",
       "UPDATE {t} SET a = 2 WHERE id = 7; ALTER TABLE {t} ADD COLUMN x text;",
       "AccessExclusiveLock",
       {"deadlock-prone"},
       "",
       std::set<std::string>{}},
      {"held_while_an_index_is_built",
       "ALTER TABLE {t} ADD COLUMN x text; CREATE INDEX ON o_{t} (a);",
       "AccessExclusiveLock",
       {"lock-held-on", "blocks-writes"},
       "CREATE TABLE o_{t} AS SELECT * FROM {t};",
       std::set<std::string>{"blocks-writes"}},
      {"held_by_a_trigger",
       "CREATE TRIGGER g BEFORE UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION "
       "suppress_redundant_updates_trigger(); DELETE FROM o_{t};",
       "ShareRowExclusiveLock",
       {"lock-held-on"},
       "CREATE TABLE o_{t} AS SELECT * FROM {t};",
       std::set<std::string>{}},
      {"inserted_then_locked",
       "INSERT INTO {t} VALUES (1000, 1); ALTER TABLE {t} ADD COLUMN x text;",
       "AccessExclusiveLock",
       {"deadlock-prone"},
       "",
       std::set<std::string>{}},
      {"deleted_then_locked",
       "DELETE FROM {t} WHERE id = 3; LOCK TABLE {t};",
       "AccessExclusiveLock",
       {"deadlock-prone"},
       "",
       std::set<std::string>{}},
      // What looks guilty and is not.
      {"filled_and_then_locked",
       "UPDATE o_{t} SET a = 2; ALTER TABLE {t} ADD COLUMN x text;",
       "AccessExclusiveLock",
       {},
       "CREATE TABLE o_{t} AS SELECT * FROM {t};"},
      {"held_for_one_row",
       "ALTER TABLE {t} ADD COLUMN x text; UPDATE o_{t} SET a = 2 WHERE id = 7;",
       "AccessExclusiveLock",
       {},
       "CREATE TABLE o_{t} AS SELECT * FROM {t};"},
      {"let_go_before",
       "BEGIN; ALTER TABLE {t} ADD COLUMN x text; COMMIT; UPDATE o_{t} SET a = 2;",
       "AccessExclusiveLock",
       {},
       "CREATE TABLE o_{t} AS SELECT * FROM {t};"},
      {"no_row_written",
       "UPDATE {t} SET a = 2 WHERE id = 7777; ALTER TABLE {t} ADD COLUMN x text;",
       "AccessExclusiveLock",
       {},
       "",
       std::set<std::string>{"blocks-reads"}},
      {"written_elsewhere",
       "INSERT INTO o_{t} VALUES (1000, 1); ALTER TABLE {t} ADD COLUMN x text;",
       "AccessExclusiveLock",
       {},
       "CREATE TABLE o_{t} AS SELECT * FROM {t};"},
      {"written_and_committed",
       "BEGIN; UPDATE {t} SET a = 2 WHERE id = 7; COMMIT; ALTER TABLE {t} ADD COLUMN x text;",
       "AccessExclusiveLock",
       {}},
      {"empty_table",
       "ALTER TABLE {t} ADD COLUMN x serial; CREATE INDEX ON {t} (a);",
       "AccessExclusiveLock",
       {},
       "DELETE FROM {t};"},
      {"new_table",
       "CREATE TABLE n_{t} AS SELECT * FROM {t}; CREATE INDEX ON n_{t} (a); ALTER TABLE n_{t} ADD PRIMARY "
       "KEY "
       "(id); ALTER TABLE n_{t} ALTER COLUMN a TYPE bigint;",
       "AccessShareLock",
       {}},
      {"one_row_of_a_small_table",
       "ALTER TABLE {t} ADD COLUMN x text; UPDATE {t} SET x = 'y' WHERE id = 7;",
       "AccessExclusiveLock",
       {}},
      {"is_there_one",
       "DO $$ BEGIN IF EXISTS (SELECT FROM {t}) THEN ALTER TABLE {t} ADD COLUMN x text; END IF; END $$;",
       "AccessExclusiveLock",
       {}},
      {"unlogged_cache",
       "TRUNCATE {t}; ALTER TABLE {t} ADD COLUMN x serial;",
       "AccessExclusiveLock",
       {},
       "ALTER TABLE {t} SET UNLOGGED;"},
      {"swapped",
       "CREATE TABLE n_{t} AS SELECT * FROM {t}; ALTER TABLE {t} RENAME TO old_{t}; ALTER TABLE n_{t} RENAME "
       "TO {t};",
       "AccessExclusiveLock",
       {},
       "",
       std::set<std::string>{"blocks-reads"}},
      {"dropped", "DROP TABLE {t};", "AccessExclusiveLock", {}},
  };
  return k_changes;
}

std::string filled(std::string text, const std::string& table) {
  for (auto at = text.find("{t}"); at != std::string::npos; at = text.find("{t}")) text.replace(at, 3, table);
  return text;
}

int strength(const std::string& mode) {
  static const std::vector<std::string> k_modes{
      "AccessShareLock", "RowShareLock",          "RowExclusiveLock", "ShareUpdateExclusiveLock",
      "ShareLock",       "ShareRowExclusiveLock", "ExclusiveLock",    "AccessExclusiveLock"};
  const auto found = std::find(k_modes.begin(), k_modes.end(), mode);
  return found == k_modes.end() ? -1 : static_cast<int>(found - k_modes.begin());
}

std::string strongest(const json& side, const std::string& relation) {
  std::string result;
  for (const json& statement : side.at("statements")) {
    for (const json& lock : statement.at("locks")) {
      const auto mode = lock.at("mode").get<std::string>();
      if (lock.at("relation") == relation && strength(mode) > strength(result)) result = mode;
    }
  }
  return result;
}

bool is_of_locks(const std::string& rule) {
  static const std::set<std::string> k_rules{"blocks-reads", "blocks-writes", "lock-held-on", "table-rewrite",
                                             "deadlock-prone"};
  return k_rules.contains(rule);
}

/// How a change comes to the server.
enum class Way { plain, block, function, tool };

bool runs_outside_transactions(const Change& change) {
  const std::string_view up = change.up;
  return up.find("CONCURRENTLY") != std::string_view::npos || up.starts_with("VACUUM");
}

/// PL/pgSQL runs everything in the transaction of its caller.
bool can_come(const Change& change, Way way) {
  const bool has_its_own = std::string_view(change.up).starts_with("BEGIN");
  return way == Way::plain || (way == Way::tool && !has_its_own) ||
         (!runs_outside_transactions(change) && !has_its_own);
}

std::string wrapped(const std::string& up, Way way) {
  switch (way) {
    case Way::block:
      return "DO $way$ BEGIN EXECUTE $up$" + up + "$up$; END $way$;";
    case Way::function:
      return "CREATE FUNCTION way() RETURNS void LANGUAGE plpgsql AS $way$ BEGIN EXECUTE $up$" + up +
             "$up$; END $way$; SELECT way(); DROP FUNCTION way();";
    default:
      return up;
  }
}

/// A program that sends each file by psql.
constexpr const char* k_tool = R"sh(#!/bin/sh
set -e
case "$1" in
  list) ls *.up.sql; exit;;
esac
single=--single-transaction
if grep -qE 'CONCURRENTLY|^VACUUM' "$2"; then single=; fi
psql -XAtq -v ON_ERROR_STOP=1 $single -f "$2" "$DATABASE_URL"
)sh";

/// A folder with one migration for each change, and the rows that they are about.
void write_changes(const Folder& folder, Way way) {
  std::string fixture =
      "CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(0, 400);\n";
  int number = 0;
  for (const Change& change : changes()) {
    if (!can_come(change, way)) continue;
    const std::string table = fmt::format("t_{}", change.name);
    fixture += filled(
        "CREATE TABLE {t} (id int PRIMARY KEY, a int, b text, at timestamp); INSERT INTO {t} SELECT i, i, "
        "'b', "
        "'2024-01-01' FROM generate_series(1, 300) i;\n" +
            std::string(change.fixture) + "\n",
        table);
    folder.write(fmt::format("m/{:03}_{}.up.sql", ++number, change.name),
                 wrapped(filled(change.up, table), way));
  }
  folder.write("fixture.sql", fixture);
  std::string scenario =
      "scenario: s\nengine: postgres\nfixture: fixture.sql\ndepth: quick\nmigrations: {path: m";
  if (way == Way::tool) {
    folder.write("m/tool.sh", k_tool);
    scenario += ", format: commands, tool: {list: [sh, tool.sh, list], up: [sh, tool.sh, up, '{version}']}";
  }
  folder.write("s.yaml", scenario + "}\n");
}

void expect_all(const Checked& result, Way way) {
  const auto& migrations = result.run().at("migrations");
  std::size_t at = 0;
  for (const Change& change : changes()) {
    if (!can_come(change, way)) continue;
    ASSERT_LT(at, migrations.size()) << result.outcome.said();
    const json& migration = migrations[at++];
    ASSERT_TRUE(migration.at("forward").at("error").is_null()) << change.name << migration.at("forward");
    const std::string relation = fmt::format("public.t_{}", change.name);
    if (std::string(change.lock) != "*") {
      EXPECT_EQ(strongest(migration.at("forward"), relation), change.lock) << change.name;
    }
    std::set<std::string> found;
    for (const json& finding : result.run().at("findings")) {
      const auto rule = finding.at("rule").get<std::string>();
      if (finding.at("migration") == migration.at("version") && is_of_locks(rule)) found.insert(rule);
    }
    const bool inside = way == Way::block || way == Way::function;
    EXPECT_EQ(found, inside ? change.inside.value_or(change.findings) : change.findings)
        << change.name << "\n"
        << migration.at("forward").dump(1);
  }
}

class LocksBy : public ::testing::TestWithParam<Way> {};

TEST_P(LocksBy, each_change_is_judged_by_what_the_server_did) {
  const Folder folder;
  write_changes(folder, GetParam());
  expect_all(check({"s.yaml"}, {.directory = folder.path(), .deadline = std::chrono::minutes(3)}),
             GetParam());
  const char* const further = std::getenv("LOCKKEEPER_TEST_SERVERS");
  for (const std::string& server : split(further == nullptr ? "" : further, ':')) {
    if (server.empty()) continue;
    SCOPED_TRACE(server);
    expect_all(check({"s.yaml", "--pg-bin", server},
                     {.directory = folder.path(), .deadline = std::chrono::minutes(3)}),
               GetParam());
  }
}

std::string way_name(const ::testing::TestParamInfo<Way>& way) {
  const std::vector<std::string> names{"plain", "block", "function", "tool"};
  return names[static_cast<std::size_t>(way.param)];
}

INSTANTIATE_TEST_SUITE_P(Each, LocksBy, ::testing::Values(Way::plain, Way::block, Way::function, Way::tool),
                         way_name);

class LocksOf : public ::testing::Test {
 protected:
  Checked checked(const std::string& up, const std::string& production = "") const {
    m_folder.write("fixture.sql",
                   "CREATE TABLE orders (id int PRIMARY KEY, a int); INSERT INTO orders SELECT i, i FROM "
                   "generate_series(1, 5000) i;");
    m_folder.write("m/1_x.up.sql", up);
    m_folder.write("m/1_x.down.sql", "SELECT 1;");
    m_folder.write("s.yaml",
                   "scenario: s\nfixture: [fixture.sql]\nmigrations: m\ndepth: quick\n" + production);
    return check({"s.yaml"}, {m_folder.path()});
  }

  Folder m_folder;
};

TEST_F(LocksOf, production_is_estimated_from_the_time_per_row) {
  const auto finding =
      checked("CREATE INDEX ON orders (a);",
              "production: {rows: {orders: 400M}, writes_per_second: 50}\nlongest_wait_ms: 20\n")
          .finding("blocks-writes");
  ASSERT_FALSE(finding.is_null());
  EXPECT_THAT(finding.at("message").get<std::string>(), HasSubstr(" in production"));
  const std::string evidence = finding.at("evidence").dump();
  EXPECT_THAT(evidence, HasSubstr("production has 400,000,000 rows in public.orders: about "));
  EXPECT_THAT(evidence, HasSubstr(" writes of the application would come meanwhile"));
  EXPECT_THAT(finding.at("advice").get<std::string>(), HasSubstr("CREATE INDEX CONCURRENTLY"));
}

TEST_F(LocksOf, a_table_that_is_small_in_production_may_be_locked) {
  const Checked result = checked("CREATE INDEX ON orders (a);",
                                 "production: {rows: {public.orders: 5k}}\nlongest_wait_ms: 60000\n");
  EXPECT_TRUE(result.finding("blocks-writes").is_null()) << result.outcome.said();
}

TEST_F(LocksOf, a_fixture_with_few_rows_is_no_measure) {
  const auto finding = checked("ALTER TABLE few ADD CHECK (i > 0);",
                               "production: {rows: {few: 40M}}\ninit: ['CREATE TABLE few AS SELECT i FROM "
                               "generate_series(1, 10) i']\n")
                           .finding("blocks-reads");
  ASSERT_FALSE(finding.is_null());
  EXPECT_THAT(finding.at("evidence").dump(), HasSubstr("10 rows here are too few to go by"));
}

TEST_F(LocksOf, others_who_read_and_write_meanwhile_are_timed_and_told_whom_they_stood_behind) {
  const Checked result = checked("ALTER TABLE orders ADD COLUMN x int;\nSELECT pg_sleep(0.6);", "");
  EXPECT_TRUE(result.run().at("migrations")[0].at("traffic").is_null());  // quick
  m_folder.write("s.yaml", "scenario: s\nfixture: [fixture.sql]\nmigrations: m\ndepth: full\n");
  const Checked full = check({"s.yaml"}, {m_folder.path()});
  const auto read = full.finding("blocks-reads");
  const auto write = full.finding("blocks-writes");
  ASSERT_FALSE(read.is_null()) << full.outcome.said();
  ASSERT_FALSE(write.is_null()) << full.outcome.said();
  EXPECT_THAT(read.at("message").get<std::string>(),
              HasSubstr("while up ran, a read of public.orders waited"));
  EXPECT_THAT(write.at("message").get<std::string>(), HasSubstr("behind AccessExclusiveLock"));
  EXPECT_EQ(read.at("location").at("file"), "m/1_x.up.sql");
}

TEST_F(LocksOf, critical_queries_are_part_of_the_traffic) {
  checked("ALTER TABLE orders ADD COLUMN x int;\nSELECT pg_sleep(0.6);", "");
  m_folder.write("s.yaml",
                 "scenario: s\nfixture: [fixture.sql]\nmigrations: m\ndepth: full\nqueries:\n"
                 "  - {name: some, sql: SELECT count(*) FROM orders WHERE id < $1, params: [10]}\n"
                 "  - {name: writes, sql: UPDATE orders SET a = 1 WHERE id = 7 RETURNING id}\n"
                 "  - {name: slow, sql: \"SELECT pg_sleep(0.05), id FROM orders WHERE id = 1\"}\n");
  const Checked full = check({"s.yaml"}, {m_folder.path()});
  std::set<std::string> asked;
  for (const auto& wait : full.run().at("migrations")[0].at("traffic").at("waits")) {
    const auto query = wait.at("query").get<std::string>();
    if (query.empty()) continue;
    asked.insert(query);
  }
  EXPECT_THAT(asked, ::testing::IsSubsetOf({"some", "writes"}));
  EXPECT_FALSE(asked.empty()) << full.outcome.said();
}

TEST_F(LocksOf, a_writer_waits_for_rows_that_are_changed_in_one_long_transaction) {
  checked("UPDATE orders SET a = a + 1;\nSELECT pg_sleep(0.6);");
  m_folder.write("s.yaml", "scenario: s\nfixture: [fixture.sql]\nmigrations: m\ndepth: full\n");
  const Checked full = check({"s.yaml"}, {m_folder.path()});
  ASSERT_FALSE(full.finding("blocks-writes").is_null()) << full.outcome.said();
  EXPECT_THAT(full.finding("blocks-writes").at("message").get<std::string>(), HasSubstr("behind a row lock"));
  EXPECT_TRUE(full.finding("blocks-reads").is_null()) << full.outcome.said();
}

TEST_F(LocksOf, behind_an_open_transaction_everybody_queues_unless_up_lets_go) {
  checked("ALTER TABLE orders ADD COLUMN x int;");
  m_folder.write("s.yaml", "scenario: s\nfixture: [fixture.sql]\nmigrations: m\ndepth: full\n");
  const auto finding = check({"s.yaml"}, {m_folder.path()}).finding("lock-queue");
  ASSERT_FALSE(finding.is_null());
  EXPECT_EQ(finding.at("location").at("line"), 1);
  m_folder.write("m/1_x.up.sql", "SET LOCAL lock_timeout = '20ms'; ALTER TABLE orders ADD COLUMN x int;");
  const Checked patient = check({"s.yaml"}, {m_folder.path()});
  const auto& queues = patient.run().at("migrations")[0].at("queues");
  ASSERT_EQ(queues.size(), 1U);
  const auto& queue = queues[0];
  EXPECT_EQ(queue.at("table"), "public.orders");
  EXPECT_EQ(queue.at("error").at("sqlstate"), "55P03") << queue;
  EXPECT_TRUE(queue.at("retry_error").is_null());
  EXPECT_EQ(queue.at("mode"), "AccessExclusiveLock");
}

TEST_F(LocksOf, each_table_in_turn_is_read_by_the_open_transaction) {
  checked("ALTER TABLE orders ADD COLUMN x int; ALTER TABLE people ADD COLUMN x int;");
  m_folder.write("fixture.sql",
                 "CREATE TABLE orders (id int); INSERT INTO orders VALUES (1); CREATE TABLE people (id int); "
                 "INSERT INTO people VALUES (1);");
  m_folder.write("s.yaml", "scenario: s\nfixture: [fixture.sql]\nmigrations: m\ndepth: full\n");
  const Checked result = check({"s.yaml"}, {m_folder.path()});
  const auto& queues = result.run().at("migrations")[0].at("queues");
  ASSERT_EQ(queues.size(), 2U);
  EXPECT_EQ(queues[0].at("table"), "public.orders");
  EXPECT_THAT(queues[0].at("statement").get<std::string>(), HasSubstr("ALTER TABLE orders"));
  EXPECT_EQ(queues[1].at("table"), "public.people");
  EXPECT_THAT(queues[1].at("statement").get<std::string>(), HasSubstr("ALTER TABLE people"));
  ASSERT_FALSE(result.finding("lock-queue").is_null());
  EXPECT_THAT(result.finding("lock-queue").at("evidence").dump(), HasSubstr("the same behind a reader of"));
}

TEST_F(LocksOf, outside_transactions_are_seen_from_another_session_and_said_to_be_sampled) {
  const Checked result = checked(
      "-- lockkeeper\nDO $$ BEGIN LOCK TABLE orders IN SHARE MODE; PERFORM pg_sleep(0.5); COMMIT; END $$;\n"
      "VACUUM orders;");
  const auto& statements = result.run().at("migrations")[0].at("forward").at("statements");
  ASSERT_EQ(statements.size(), 2U) << result.outcome.said();
  for (const auto& statement : statements) {
    EXPECT_EQ(statement.at("locks_observed"), false);
    EXPECT_EQ(statement.at("locks_sampled"), true);
  }
  ASSERT_EQ(statements[0].at("locks").size(), 1U) << statements[0];
  EXPECT_EQ(statements[0].at("locks")[0].at("mode"), "ShareLock");
  EXPECT_EQ(statements[0].at("locks")[0].at("relation"), "public.orders");
}

TEST_F(LocksOf, what_spills_is_counted) {
  const Checked result = checked(
      "SET LOCAL work_mem = '64kB';\n"
      "CREATE TABLE s AS SELECT md5(i::text) AS m FROM generate_series(1, 50000) i ORDER BY 1;");
  const auto& statements = result.run().at("migrations")[0].at("forward").at("statements");
  ASSERT_EQ(statements.size(), 2U) << result.outcome.said();
  EXPECT_EQ(statements[0].at("temporary_bytes"), 0);
  EXPECT_GT(statements[1].at("temporary_bytes"), 1'000'000);
}

TEST_F(LocksOf, what_was_given_for_the_options_of_a_run_stands_in_the_reproducing_command) {
  checked("CREATE INDEX ON orders (a);");
  const Checked result = check({"m", "--fixture", "fixture.sql", "--depth", "full"}, {m_folder.path()});
  EXPECT_THAT(result.run().at("reproduce").get<std::string>(), HasSubstr("--depth full"));
}

TEST_F(LocksOf, bad_numbers_of_production_are_refused) {
  const Checked result = checked("SELECT 1;", "production: {rows: {orders: many}}\n");
  EXPECT_EQ(result.outcome.exit_code, 2);
  EXPECT_THAT(result.outcome.errors, HasSubstr("s.yaml:5:29: error: key 'orders': 'many' is no number"));
}

}  // namespace
}  // namespace lockkeeper::app::testing
