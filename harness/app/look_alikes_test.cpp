#include <chrono>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program_test.h"

/// For each rule of interruption, later rollback and the queue: what looks innocent and is guilty, what looks
/// guilty and is not. One run drives all cases of a group, each on a table of its own.
namespace lockkeeper::app::testing {
namespace {

using nlohmann::json;

/// {t} is the case's own table: 50 rows (id int PRIMARY KEY, a int NOT NULL, b varchar(10)).
struct Case {
  const char* name;
  const char* up;
  const char* down;
  std::set<std::string> findings;  ///< of the group's rules, and no others of them
  const char* fixture = "";
};

std::string of_table(std::string text, const std::string& table) {
  for (auto at = text.find("{t}"); at != std::string::npos; at = text.find("{t}")) text.replace(at, 3, table);
  return text;
}

void expect_all(const std::vector<Case>& cases, const std::set<std::string>& rules, const std::string& more) {
  const Folder folder;
  std::string fixture;
  int number = 0;
  for (const Case& one : cases) {
    const std::string table = fmt::format("t_{}", one.name);
    fixture += of_table(
        "CREATE TABLE {t} (id int PRIMARY KEY, a int NOT NULL, b varchar(10));\n"
        "INSERT INTO {t} SELECT i, i, 'b' || i FROM generate_series(1, 50) i;\n" +
            std::string(one.fixture) + "\n",
        table);
    const std::string file = fmt::format("m/{:02}_{}", ++number, one.name);
    folder.write(file + ".up.sql", of_table(one.up, table));
    folder.write(file + ".down.sql", of_table(one.down, table));
  }
  folder.write("fixture.sql", fixture);
  folder.write("s.yaml", "scenario: s\nfixture: fixture.sql\nmigrations: {path: m" + more);
  const Checked result = check({"s.yaml"}, {.directory = folder.path(), .deadline = std::chrono::minutes(3)});
  const auto& migrations = result.run().at("migrations");
  ASSERT_EQ(migrations.size(), cases.size()) << result.outcome.said();
  for (std::size_t at = 0; at < cases.size(); ++at) {
    const Case& one = cases[at];
    EXPECT_TRUE(migrations[at].at("forward").at("error").is_null()) << one.name << result.outcome.said();
    std::set<std::string> found;
    for (const json& finding : result.run().at("findings")) {
      if (finding.at("migration") != migrations[at].at("version")) continue;
      if (rules.contains(finding.at("rule"))) found.insert(finding.at("rule"));
    }
    EXPECT_EQ(found, one.findings) << one.name << "\n" << result.outcome.said();
  }
}

TEST(LookAlikes, of_interruption) {
  const char* const drop_index = "DROP INDEX i_{t};";
  expect_all(
      {
          {"column_and_concurrently",
           "ALTER TABLE {t} ADD COLUMN x int;\nCREATE INDEX CONCURRENTLY i_{t} ON {t} (a);",
           "DROP INDEX i_{t};\nALTER TABLE {t} DROP COLUMN x;",
           {"not-atomic", "not-resumable"}},
          {"two_transactions_of_its_own",
           "BEGIN;\nALTER TABLE {t} ADD COLUMN x int;\nCOMMIT;\nBEGIN;\nALTER TABLE {t} ADD COLUMN y "
           "int;\nCOMMIT;",
           "ALTER TABLE {t} DROP COLUMN x, DROP COLUMN y;",
           {"not-atomic", "not-resumable"}},
          {"one_statement_that_commits_on_its_way",
           "CREATE INDEX CONCURRENTLY i_{t} ON {t} (a);",
           drop_index,
           {"not-atomic", "not-resumable"}},
          {"procedure_that_commits",
           "CALL p_{t}();",
           "ALTER TABLE {t} DROP COLUMN x;",
           {"not-atomic", "not-resumable"},
           "CREATE PROCEDURE p_{t}() LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE {t} ADD COLUMN x int; COMMIT; "
           "LOCK TABLE {t} IN ACCESS EXCLUSIVE MODE; UPDATE {t} SET x = 1; END $$;"},
          {"if_not_exists_over_an_invalid_index",
           "CREATE INDEX CONCURRENTLY IF NOT EXISTS i_{t} ON {t} (a);",
           drop_index,
           {"not-atomic", "retry-hides-damage"}},
          {"raised_twice",
           "UPDATE {t} SET a = a + 1;\nVACUUM {t};\nALTER TABLE {t} ADD COLUMN IF NOT EXISTS x int;",
           "UPDATE {t} SET a = a - 1;\nALTER TABLE {t} DROP COLUMN x;",
           {"not-atomic", "retry-hides-damage"}},
          {"batches_that_commit",
           "DO $$ BEGIN UPDATE {t} SET a = a + 1 WHERE id <= 25; COMMIT; LOCK TABLE {t} IN EXCLUSIVE MODE; "
           "UPDATE "
           "{t} SET a = a + 1 WHERE id > 25; END $$;",
           "UPDATE {t} SET a = a - 1;",
           {"not-atomic", "retry-hides-damage"}},
          // What looks guilty and is not.
          {"five_in_one_transaction",
           "ALTER TABLE {t} ADD COLUMN x int;\nUPDATE {t} SET x = a;\nCREATE INDEX i_{t} ON {t} (x);\nALTER "
           "TABLE {t} ALTER x SET NOT NULL;\nUPDATE {t} SET a = a + 1;",
           "UPDATE {t} SET a = a - 1;\nALTER TABLE {t} DROP COLUMN x;",
           {}},
          {"its_own_transaction_around_all",
           "BEGIN;\nALTER TABLE {t} ADD COLUMN x int;\nUPDATE {t} SET a = a + 1;\nCOMMIT;",
           "BEGIN;\nUPDATE {t} SET a = a - 1;\nALTER TABLE {t} DROP COLUMN x;\nCOMMIT;",
           {}},
          {"block_without_a_commit",
           "DO $$ BEGIN UPDATE {t} SET a = a + 1 WHERE id <= 25; UPDATE {t} SET a = a + 1 WHERE id > 25; END "
           "$$;",
           "UPDATE {t} SET a = a - 1;",
           {}},
          {"savepoints",
           "SAVEPOINT s;\nALTER TABLE {t} ADD COLUMN x int;\nRELEASE s;\nSAVEPOINT s;\nUPDATE {t} SET x = 1;",
           "ALTER TABLE {t} DROP COLUMN x;",
           {}},
          {"only_vacuum", "VACUUM {t};", "SELECT 1;", {}},
          {"transaction_that_changes_and_one_that_does_not",
           "UPDATE {t} SET a = a + 1;\nVACUUM {t};",
           "UPDATE {t} SET a = a - 1;",
           {}},
      },
      {"not-atomic", "not-resumable", "retry-hides-damage"}, "}\n");
}

/// A retry that mends what was left: told as a note, and no more.
TEST(LookAlikes, of_a_retry_that_mends) {
  expect_all(
      {
          {"looks_first",
           "ALTER TABLE {t} ADD COLUMN IF NOT EXISTS x int;\nDROP INDEX CONCURRENTLY IF EXISTS "
           "i_{t};\nCREATE INDEX "
           "CONCURRENTLY i_{t} ON {t} (a);",
           "DROP INDEX i_{t};\nALTER TABLE {t} DROP COLUMN x;",
           {}},
          {"sets_what_it_sets",
           "UPDATE {t} SET a = 5;\nVACUUM {t};\nUPDATE {t} SET b = 'x';",
           "SELECT 1;",
           {}},
          {"takes_only_what_is_to_do",
           "ALTER TABLE {t} ADD COLUMN IF NOT EXISTS x int;\nUPDATE {t} SET x = a WHERE x IS NULL;\nVACUUM "
           "{t};\n"
           "INSERT INTO {t} VALUES (99, 1, 'x', 2) ON CONFLICT DO NOTHING;",
           "DELETE FROM {t} WHERE id = 99;\nALTER TABLE {t} DROP COLUMN x;",
           {}},
      },
      {"not-resumable", "retry-hides-damage"}, "}\n");
}

TEST(LookAlikes, of_later_rollback) {
  const char* const nullable = "ALTER TABLE {t} ALTER COLUMN a DROP NOT NULL;";
  const char* const not_null = "ALTER TABLE {t} ALTER COLUMN a SET NOT NULL;";
  expect_all(
      {
          {"nullable", nullable, not_null, {"rollback-blocked"}},
          {"nullable_in_a_block",
           "DO $$ BEGIN ALTER TABLE {t} ALTER COLUMN a DROP NOT NULL; END $$;",
           not_null,
           {"rollback-blocked"}},
          {"check_dropped_by_a_function",
           "SELECT f_{t}();",
           "ALTER TABLE {t} ADD CONSTRAINT k_{t} CHECK (a < 100);",
           {"rollback-blocked"},
           "ALTER TABLE {t} ADD CONSTRAINT k_{t} CHECK (a < 100);\nCREATE FUNCTION f_{t}() RETURNS void "
           "LANGUAGE "
           "sql AS 'ALTER TABLE {t} DROP CONSTRAINT k_{t}';"},
          {"domain_lets_more_in",
           "ALTER DOMAIN d_{t} DROP CONSTRAINT k;",
           "ALTER DOMAIN d_{t} ADD CONSTRAINT k CHECK (VALUE > 0);",
           {"rollback-blocked"},
           "CREATE DOMAIN d_{t} AS int CONSTRAINT k CHECK (VALUE > 0);\nALTER TABLE {t} ADD v d_{t} DEFAULT "
           "1;"},
          {"unique_index_gone",
           "DROP INDEX u_{t};",
           "CREATE UNIQUE INDEX u_{t} ON {t} (b);",
           {"rollback-blocked"},
           "CREATE UNIQUE INDEX u_{t} ON {t} (b);"},
          {"wider",
           "ALTER TABLE {t} ALTER COLUMN b TYPE varchar(20);",
           "ALTER TABLE {t} ALTER COLUMN b TYPE varchar(10);",
           {"rollback-blocked"}},
          {"cut_off_again",
           "ALTER TABLE {t} ALTER COLUMN b TYPE varchar(20);",
           "ALTER TABLE {t} ALTER COLUMN b TYPE varchar(10) USING left(b, 10);",
           {"rollback-loses-writes"}},
          {"deleted_again",
           nullable,
           "DELETE FROM {t} WHERE a IS NULL;\nALTER TABLE {t} ALTER COLUMN a SET NOT NULL;",
           {"rollback-loses-writes"}},
          // What looks guilty and is not.
          // NULL is no value that could be lost.
          {"filled_again",
           nullable,
           "UPDATE {t} SET a = 0 WHERE a IS NULL;\nALTER TABLE {t} ALTER COLUMN a SET NOT NULL;",
           {}},
          {"check_keeps_null_out", nullable, not_null, {}, "ALTER TABLE {t} ADD CHECK (a IS NOT NULL);"},
          {"trigger_keeps_null_out",
           nullable,
           not_null,
           {},
           "CREATE FUNCTION g_{t}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.a := coalesce(NEW.a, "
           "0); RETURN "
           "NEW; END $$;\nCREATE TRIGGER g BEFORE INSERT OR UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION "
           "g_{t}();"},
          {"new_column", "ALTER TABLE {t} ADD COLUMN x text;", "ALTER TABLE {t} DROP COLUMN x;", {}},
          {"new_table", "CREATE TABLE n_{t} (x int REFERENCES {t});", "DROP TABLE n_{t};", {}},
          {"index_that_is_not_unique",
           "DROP INDEX i_{t};",
           "CREATE INDEX i_{t} ON {t} (b);",
           {},
           "CREATE INDEX i_{t} ON {t} (b);"},
          {"not_validated_on_the_way_back",
           "ALTER TABLE {t} DROP CONSTRAINT k_{t};",
           "ALTER TABLE {t} ADD CONSTRAINT k_{t} CHECK (a < 100) NOT VALID;",
           {},
           "ALTER TABLE {t} ADD CONSTRAINT k_{t} CHECK (a < 100) NOT VALID;"},
          {"second_unique_index",
           "DROP INDEX u_{t};",
           "CREATE UNIQUE INDEX u_{t} ON {t} (b);",
           {},
           "CREATE UNIQUE INDEX u_{t} ON {t} (b);\nCREATE UNIQUE INDEX v_{t} ON {t} (b);"},
      },
      {"rollback-blocked", "rollback-loses-writes"}, "}\n");
}

TEST(LookAlikes, of_a_second_run) {
  expect_all(
      {
          {"table", "CREATE TABLE n_{t} (x int);", "DROP TABLE n_{t};", {"not-rerunnable"}},
          {"row_again",
           "INSERT INTO {t} SELECT max(id) + 1, 1, 'x' FROM {t};",
           "DELETE FROM {t} WHERE id > 50;",
           {"not-rerunnable"}},
          {"row_again_by_a_block",
           "DO $$ BEGIN IF (SELECT count(*) FROM {t}) < 100 THEN UPDATE {t} SET a = a + 1; END IF; END $$;",
           "UPDATE {t} SET a = a - 1;",
           {"not-rerunnable"}},
          {"index_of_the_same_name",
           "CREATE INDEX i_{t} ON {t} (a);",
           "DROP INDEX i_{t};",
           {"not-rerunnable"}},
          {"nameless_index_once_more",
           "CREATE INDEX ON {t} (a);",
           "DROP INDEX IF EXISTS {t}_a_idx, {t}_a_idx1;",
           {"not-rerunnable"}},
          {"table_if_there_is_none", "CREATE TABLE IF NOT EXISTS n_{t} (x int);", "DROP TABLE n_{t};", {}},
          {"row_if_there_is_none",
           "INSERT INTO {t} VALUES (60, 1, 'x') ON CONFLICT DO NOTHING;",
           "DELETE FROM {t} WHERE id = 60;",
           {}},
          {"the_same_value", "UPDATE {t} SET b = 'x';", "SELECT 1;", {}},
          {"function_replaced",
           "CREATE OR REPLACE FUNCTION f_{t}() RETURNS int LANGUAGE sql AS 'SELECT 2';",
           "DROP FUNCTION f_{t};",
           {}},
          {"dropped_and_made",
           "DROP VIEW IF EXISTS v_{t};\nCREATE VIEW v_{t} AS SELECT id FROM {t};",
           "DROP VIEW v_{t};",
           {}},
      },
      {"not-rerunnable"}, ", claims_rerunnable: true}\ndepth: quick\n");
}

TEST(LookAlikes, of_the_queue) {
  expect_all(
      {
          {"column", "ALTER TABLE {t} ADD COLUMN x int;", "ALTER TABLE {t} DROP COLUMN x;", {"lock-queue"}},
          {"index_gone",
           "DROP INDEX i_{t};",
           "CREATE INDEX i_{t} ON {t} (a);",
           {"lock-queue"},
           "CREATE INDEX i_{t} ON {t} (a);"},
          {"child_gone",
           "DROP TABLE c_{t};",
           "CREATE TABLE c_{t} (x int REFERENCES {t});",
           {"lock-queue"},
           "CREATE TABLE c_{t} (x int REFERENCES {t});"},
          {"timeout_too_long",
           "SET LOCAL lock_timeout = '5s';\nALTER TABLE {t} ADD COLUMN x int;",
           "ALTER TABLE {t} DROP COLUMN x;",
           {"lock-queue"}},
          {"lets_go",
           "SET LOCAL lock_timeout = '50ms';\nALTER TABLE {t} ADD COLUMN x int;",
           "ALTER TABLE {t} DROP COLUMN x;",
           {}},
          {"concurrently", "CREATE INDEX CONCURRENTLY i_{t} ON {t} (a);", "DROP INDEX i_{t};", {}},
          {"trigger",
           "CREATE TRIGGER g BEFORE UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION "
           "suppress_redundant_updates_trigger();",
           "DROP TRIGGER g ON {t};",
           {}},
          {"child", "CREATE TABLE c_{t} (x int REFERENCES {t});", "DROP TABLE c_{t};", {}},
          {"rows", "UPDATE {t} SET a = a + 1;", "UPDATE {t} SET a = a - 1;", {}},
      },
      {"lock-queue"}, "}\ndepth: full\n");
}

}  // namespace
}  // namespace lockkeeper::app::testing
