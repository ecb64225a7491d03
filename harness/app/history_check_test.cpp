#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program_test.h"

/// Histories of different tools, end to end: each is run as its own tool runs it.
namespace lockkeeper::app::testing {

namespace {

using nlohmann::json;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class HistoryCheck : public ::testing::Test {
 protected:
  Start here() const { return {m_folder.path()}; }
  void write_concurrently() const {
    m_folder.write("m/1_a.up.sql", "CREATE TABLE t (a int);\nCREATE INDEX CONCURRENTLY i ON t (a);\n");
    m_folder.write("m/1_a.down.sql", "DROP TABLE t;\n");
  }
  void write_enum() const {
    m_folder.write("m/1_a.up.sql", "CREATE TYPE mood AS ENUM ('sad');\nCREATE TABLE t (m mood);\n");
    m_folder.write("m/1_a.down.sql", "DROP TABLE t;\nDROP TYPE mood;\n");
    m_folder.write("m/2_b.up.sql",
                   "CREATE TYPE size AS ENUM ('small');\nALTER TYPE mood ADD VALUE 'glad';\n");
    m_folder.write("m/3_c.up.sql", "INSERT INTO t VALUES ('glad');\n");
    m_folder.write("m/3_c.down.sql", "DELETE FROM t;\n");
  }

  Folder m_folder;
};

TEST_F(HistoryCheck, the_shape_of_the_tool_decides_whether_concurrently_passes) {
  write_concurrently();
  EXPECT_EQ(check({"m", "--depth", "quick"}, here()).outcome.exit_code, 0);
  const Checked checked = check({"m", "--format", "golang-migrate"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 1);
  const json finding = checked.finding("up-fails");
  ASSERT_FALSE(finding.is_null());
  EXPECT_EQ(finding["location"]["line"], 2);
  EXPECT_THAT(finding["evidence"].dump(), HasSubstr("golang-migrate sends it as one message"));
  EXPECT_EQ(checked.run()["format"], "golang-migrate");
}

TEST_F(HistoryCheck, the_module_above_tells_whose_history_it_is) {
  write_concurrently();
  m_folder.write("go.mod", "module x\n\nrequire github.com/golang-migrate/migrate/v4 v4.17.0\n");
  const Checked checked = check({"m"}, here());
  EXPECT_EQ(checked.run()["format"], "golang-migrate");
  EXPECT_EQ(checked.outcome.exit_code, 1);
}

TEST_F(HistoryCheck, another_shape_can_be_asked_for) {
  write_concurrently();
  EXPECT_EQ(
      check({"m", "--format", "golang-migrate", "--transaction", "statement", "--depth", "quick"}, here())
          .outcome.exit_code,
      0);
  EXPECT_EQ(check({"m", "--transaction", "per-migration"}, here()).outcome.exit_code, 1);
  EXPECT_EQ(check({"m", "--transaction", "file"}, here()).outcome.exit_code, 1);
  const Checked unknown = check({"m", "--transaction", "twice"}, here());
  EXPECT_EQ(unknown.outcome.exit_code, 2);
}

TEST_F(HistoryCheck, what_passes_one_by_one_can_fail_in_one_transaction_of_all) {
  write_enum();
  EXPECT_THAT(check({"m"}, here()).rules(), ::testing::Not(Contains("up-fails")));
  // From PostgreSQL 17 on, a type of the same transaction would be no hindrance.
  const Checked checked = check({"m", "--since", "2", "--transaction", "all"}, here());
  const json finding = checked.finding("up-fails");
  ASSERT_FALSE(finding.is_null()) << checked.outcome.said();
  EXPECT_EQ(finding["migration"], "3");
  EXPECT_THAT(finding["message"].get<std::string>(),
              HasSubstr("in one transaction with the others of the trial"));
  EXPECT_THAT(finding["message"].get<std::string>(), HasSubstr("55P04"));
  EXPECT_EQ(finding["location"]["file"], "m/3_c.up.sql");
  EXPECT_EQ(checked.run()["together"]["stops_at"], "3");
}

TEST_F(HistoryCheck, the_tools_table_is_there_for_migrations_and_in_no_comparison) {
  m_folder.write("m/1_a.sql", "-- migrate:up\nCREATE TABLE t (a int);\n-- migrate:down\nDROP TABLE t;\n");
  m_folder.write("m/2_b.sql",
                 "-- migrate:up\nINSERT INTO t SELECT count(*) FROM schema_migrations;\n"
                 "ALTER TABLE schema_migrations ADD COLUMN note text;\n-- migrate:down\nDELETE FROM t;\n"
                 "ALTER TABLE schema_migrations DROP COLUMN note;\n");
  const Checked checked = check({"m"}, here());
  EXPECT_EQ(checked.run()["format"], "dbmate");
  EXPECT_THAT(checked.rules(), IsEmpty()) << checked.outcome.said();
}

TEST_F(HistoryCheck, an_edited_migration_is_found_without_a_run) {
  m_folder.write("old/1_a.up.sql", "CREATE TABLE t (a int);\n");
  m_folder.write("m/1_a.up.sql", "CREATE TABLE t (a bigint);\n");
  const Checked checked = check({"m", "--since-folder", "old"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 1);
  EXPECT_THAT(checked.rules(), ElementsAre("history-edited"));
  EXPECT_THAT(checked.run()["migrations"], IsEmpty());
}

TEST_F(HistoryCheck, two_migrations_of_one_version_are_an_error_and_a_finding) {
  m_folder.write("m/1_a.up.sql", "SELECT 1;\n");
  m_folder.write("m/1_b.up.sql", "SELECT 1;\n");
  const Checked checked = check({"m"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 2);
  EXPECT_EQ(checked.run()["verdict"], "error");
  EXPECT_THAT(checked.rules(), ElementsAre("version-duplicate"));
}

TEST_F(HistoryCheck, a_program_of_the_users_own_is_run_and_watched) {
  m_folder.write("db/migrate",
                 "case \"$1\" in\n list) echo 001; echo 002;;\n"
                 " up) psql -qX -v ON_ERROR_STOP=1 \"$DATABASE_URL\" -c \"CREATE TABLE t_$2 (a int)\";;\n"
                 " down) psql -qX -v ON_ERROR_STOP=1 \"$URL\" -c \"DROP TABLE t_$2\";;\nesac\n");
  m_folder.write(
      "s.yaml",
      "scenario: own\nengine: postgres\nmigrations:\n  path: db\n  tool:\n    list: sh migrate list\n"
      "    up: [sh, migrate, up, '{version}']\n    down: sh migrate down {version}\n"
      "    environment: {URL: '{url}'}\n");
  const Checked checked = check({"s.yaml"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  const auto& statements = checked.run()["migrations"][0]["forward"]["statements"];
  ASSERT_FALSE(statements.empty());
  EXPECT_EQ(statements[0]["text"], "CREATE TABLE t_001 (a int)");
  EXPECT_EQ(checked.run()["chain"]["ran"], true);
}

TEST_F(HistoryCheck, a_program_that_fails_is_shown_with_what_it_said) {
  m_folder.write("db/migrate",
                 "case \"$1\" in\n list) echo 001;;\n up) echo broken by us >&2; exit 3;;\nesac\n");
  m_folder.write("s.yaml",
                 "scenario: own\nengine: postgres\nmigrations: {path: db, tool: {list: sh migrate list, "
                 "up: sh migrate up}}\n");
  const Checked checked = check({"s.yaml"}, here());
  EXPECT_EQ(checked.outcome.exit_code, 1);
  const json finding = checked.finding("up-fails");
  ASSERT_FALSE(finding.is_null());
  EXPECT_THAT(finding.dump(), HasSubstr("broken by us"));
}

TEST_F(HistoryCheck, a_rewrite_tells_of_locks_on_the_table_and_not_on_what_belongs_to_it) {
  m_folder.write("m/1_a.up.sql", "CREATE TABLE t (a text);\nINSERT INTO t VALUES (repeat('x', 9));\n");
  m_folder.write("m/2_b.up.sql", "ALTER TABLE t ADD COLUMN b float DEFAULT random();\n");
  m_folder.write("m/2_b.down.sql", "ALTER TABLE t DROP COLUMN b;\n");
  const Checked checked = check({"m", "--last", "1"}, here());
  const auto& statement = checked.run()["migrations"][0]["forward"]["statements"][0];
  ASSERT_EQ(statement["rewrites"].size(), 1U);
  for (const auto& lock : statement["locks"]) EXPECT_EQ(lock["relation"], "public.t");
}

TEST_F(HistoryCheck, history_says_what_was_understood) {
  m_folder.write("m/001_a.sql", "-- +goose Up\nCREATE TABLE t (a int);\n-- +goose Down\nDROP TABLE t;\n");
  m_folder.write("m/002_b.sql",
                 "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY i ON t (a);\n");
  m_folder.write("m/README.md", "x");
  const Outcome outcome = run_program({"history", "m", "--last", "1"}, here());
  EXPECT_EQ(outcome.exit_code, 0) << outcome.said();
  EXPECT_THAT(outcome.output,
              StartsWith("m · goose (seen by '-- +goose Up' in 001_a.sql) · 2 migrations, 1 on trial\n"));
  EXPECT_THAT(outcome.output,
              HasSubstr("applied  001 a  up 1 statement, one transaction · down 1 statement"));
  EXPECT_THAT(outcome.output,
              HasSubstr("on trial 002 b  up 1 statement, no transaction (-- +goose NO TRANSACTION at "
                        "1:1) · down none"));
  EXPECT_THAT(outcome.output, HasSubstr("not taken: README.md"));
  EXPECT_THAT(run_program({"history", "--formats"}, here()).output, HasSubstr("  goose "));
  EXPECT_EQ(run_program({"history"}, here()).exit_code, 2);
  EXPECT_EQ(run_program({"history", "nowhere"}, here()).exit_code, 2);
}

}  // namespace

}  // namespace lockkeeper::app::testing
