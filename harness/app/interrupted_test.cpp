#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program_test.h"
#include "base/process.h"
#include "base/text.h"

/// Up, stopped in its middle and run again, on real servers and files.
namespace lockkeeper::app::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;

class Interrupted : public ::testing::Test {
 protected:
  void write(const std::string& version, const std::string& up, const std::string& down) const {
    m_folder.write("m/" + version + ".up.sql", up);
    m_folder.write("m/" + version + ".down.sql", down);
  }
  Checked checked(std::vector<std::string> arguments = {}) const {
    arguments.insert(arguments.begin(), "m");
    return check(arguments, {m_folder.path()});
  }

  Folder m_folder;
};

TEST_F(Interrupted, one_transaction_leaves_nothing_and_is_run_again) {
  write("1_a", "CREATE TABLE a (id int); INSERT INTO a VALUES (1); CREATE INDEX a_id ON a (id);",
        "DROP TABLE a;");
  const Checked result = checked();
  EXPECT_THAT(result.rules(), IsEmpty()) << result.outcome.said();
  const auto& stops = result.run().at("migrations")[0].at("interruptions");
  ASSERT_EQ(stops.size(), 4U);  // before each statement, and before the COMMIT
  for (const auto& stop : stops) {
    EXPECT_EQ(stop.at("error").at("sqlstate"), "57P01");
    EXPECT_THAT(stop.at("left").at("objects"), IsEmpty());
  }
  EXPECT_EQ(stops[3].at("before"), "");
  EXPECT_EQ(stops[3].at("retried"), true);
}

TEST_F(Interrupted, quick_stops_nothing) {
  write("1_a", "CREATE TABLE a (id int);", "DROP TABLE a;");
  EXPECT_THAT(checked({"--depth", "quick"}).run().at("migrations")[0].at("interruptions"), IsEmpty());
  const Checked wrong = checked({"--depth", "deep"});
  EXPECT_EQ(wrong.outcome.exit_code, 2);
  EXPECT_THAT(wrong.outcome.errors, HasSubstr("the depths are: quick, standard, full"));
}

TEST_F(Interrupted, an_invalid_index_that_if_not_exists_hides_is_found) {
  write("1_t", "CREATE TABLE t AS SELECT i FROM generate_series(1, 100) i;", "DROP TABLE t;");
  write("2_i", "CREATE INDEX CONCURRENTLY IF NOT EXISTS t_i ON t (i);", "DROP INDEX t_i;");
  const Checked result = checked();
  const auto finding = result.finding("retry-hides-damage");
  ASSERT_FALSE(finding.is_null()) << result.outcome.said();
  EXPECT_THAT(finding.at("evidence").dump(), HasSubstr("valid was true, is false"));
  EXPECT_EQ(finding.at("migration"), "2");
  write("2_i", "DROP INDEX CONCURRENTLY IF EXISTS t_i;\nCREATE INDEX CONCURRENTLY t_i ON t (i);",
        "DROP INDEX t_i;");
  const Checked better = checked();
  EXPECT_EQ(better.outcome.exit_code, 0) << better.outcome.said();
  EXPECT_EQ(better.finding("not-atomic").at("level"), "note");
}

TEST_F(Interrupted, half_a_side_is_told_with_every_place) {
  write("1_t", "CREATE TABLE t AS SELECT i FROM generate_series(1, 100) i;", "DROP TABLE t;");
  write("2_j", "ALTER TABLE t ADD COLUMN j int;\nVACUUM t;\nUPDATE t SET j = i;",
        "ALTER TABLE t DROP COLUMN j;");
  const Checked result = checked();
  EXPECT_THAT(result.rules(), IsSupersetOf({"not-atomic", "not-resumable"})) << result.outcome.said();
  const auto finding = result.finding("not-resumable");
  EXPECT_THAT(finding.at("message").get<std::string>(),
              HasSubstr("column \"j\" of relation \"t\" already exists"));
  EXPECT_EQ(finding.at("location").at("line"), 1);
  EXPECT_EQ(result.finding("not-atomic").at("level"), "warning");
}

TEST_F(Interrupted, what_differs_from_run_to_run_is_no_damage) {
  write("1_t", "CREATE TABLE t (at timestamptz);\nINSERT INTO t VALUES (clock_timestamp());",
        "DROP TABLE t;");
  EXPECT_THAT(checked().rules(), Not(Contains("retry-hides-damage")));
}

TEST_F(Interrupted, a_way_back_in_pieces_meets_its_own_half) {
  write("1_t", "CREATE TABLE t AS SELECT i, i AS j FROM generate_series(1, 100) i;", "DROP TABLE t;");
  const std::string up =
      "DROP INDEX CONCURRENTLY IF EXISTS t_j;\nALTER TABLE t ALTER j SET DEFAULT 5;\nCREATE INDEX "
      "CONCURRENTLY t_j ON t (j);";
  write("2_j", up, "DROP INDEX CONCURRENTLY t_j;\nALTER TABLE t ALTER COLUMN j DROP DEFAULT;");
  const Checked result = checked();
  const auto finding = result.finding("not-resumable");
  ASSERT_FALSE(finding.is_null()) << result.outcome.said();
  EXPECT_EQ(finding.at("side"), "down");
  EXPECT_THAT(finding.at("message").get<std::string>(),
              HasSubstr("down cannot be run again: index \"t_j\" does not exist"));
  write("2_j", up, "DROP INDEX CONCURRENTLY IF EXISTS t_j;\nALTER TABLE t ALTER COLUMN j DROP DEFAULT;");
  const Checked better = checked();
  EXPECT_TRUE(better.finding("not-resumable").is_null()) << better.outcome.said();
}

TEST_F(Interrupted, full_kills_the_server_too_and_lets_both_ways_recover) {
  write("1_t",
        "CREATE UNLOGGED TABLE cache AS SELECT 1 AS i;\nCREATE TABLE t (id serial, j int);\n"
        "INSERT INTO t (j) SELECT i FROM generate_series(1, 100) i;",
        "DROP TABLE t, cache;");
  write("2_j", "ALTER TABLE t ADD COLUMN k int;\nINSERT INTO t (j) VALUES (7);",
        "DELETE FROM t WHERE id > 100;\nALTER TABLE t DROP COLUMN k;");
  const Checked result = checked({"--depth", "full"});
  EXPECT_THAT(result.rules(), Not(Contains("not-atomic"))) << result.outcome.said();
  EXPECT_THAT(result.rules(), Not(Contains("retry-hides-damage"))) << result.outcome.said();
  for (const auto& migration : result.run().at("migrations")) {
    int killed = 0;
    for (const auto& stop : migration.at("interruptions")) {
      if (stop.at("how") != "server_killed") continue;
      ++killed;
      EXPECT_EQ(stop.at("error").at("message"), "the server was killed");
      EXPECT_EQ(stop.at("retried"), true);
      EXPECT_TRUE(stop.at("retry_error").is_null()) << stop;
      EXPECT_THAT(stop.at("left").at("data"), IsEmpty()) << "an unlogged table is emptied by any crash";
    }
    EXPECT_EQ(killed, 2) << "once a side";
  }
}

TEST_F(Interrupted, full_kills_the_server_inside_what_commits_on_its_way) {
  write("1_t", "CREATE TABLE t AS SELECT i FROM generate_series(1, 100) i;", "DROP TABLE t;");
  write("2_i", "CREATE INDEX CONCURRENTLY IF NOT EXISTS t_i ON t (i);", "DROP INDEX t_i;");
  const Checked result = checked({"--depth", "full"});
  const auto finding = result.finding("retry-hides-damage");
  ASSERT_FALSE(finding.is_null()) << result.outcome.said();
  std::set<std::string> ways;
  for (const auto& stop : result.run().at("migrations")[1].at("interruptions")) {
    if (stop.at("side") == "up" && !stop.at("left").at("objects").empty()) ways.insert(stop.at("how"));
  }
  EXPECT_EQ(ways,
            (std::set<std::string>{"ended_inside", "lock_timeout", "statement_timeout", "server_killed"}));
  const std::string evidence = finding.at("evidence").dump();
  EXPECT_THAT(evidence, HasSubstr("stopped by a lock_timeout inside 1:1"));
  EXPECT_THAT(evidence, HasSubstr("its server killed at 1:1"));
}

TEST_F(Interrupted, what_a_retry_left_is_kept_to_be_looked_at) {
  write("1_t", "CREATE TABLE t AS SELECT i FROM generate_series(1, 100) i;", "DROP TABLE t;");
  write("2_i", "CREATE INDEX CONCURRENTLY IF NOT EXISTS t_i ON t (i);", "DROP INDEX t_i;");
  const Folder other;
  const Start setup{.directory = m_folder.path(), .store = other.path() / "store"};
  const Outcome outcome = run_program({"check", "m", "--seed-rows", "0", "--keep"}, setup);
  EXPECT_EQ(outcome.exit_code, 1) << outcome.said();
  EXPECT_THAT(outcome.output, HasSubstr("[retry-hides-damage]"));
  const auto at = outcome.output.find("left running: psql ");
  ASSERT_NE(at, std::string::npos) << outcome.said();
  const std::string line = trimmed(outcome.output.substr(at + std::string("left running: ").size()));
  Command command;
  command.argv = {"sh", "-c",
                  line + " -XAtc \"SELECT indisvalid FROM pg_index WHERE indexrelid = 't_i'::regclass\""};
  const auto asked = lockkeeper::run(command, {});
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->output, "f\n") << asked->errors;
  EXPECT_EQ(run_program({"cache", "clear"}, setup).exit_code, 0);
  EXPECT_THAT(processes_below(setup.store), IsEmpty());
}

TEST_F(Interrupted, numbers_that_a_crash_skips_are_no_damage) {
  write("1_t", "CREATE TABLE t (id serial PRIMARY KEY, j int);", "DROP TABLE t;");
  write(
      "2_i",
      "INSERT INTO t (j) SELECT i FROM generate_series(1, 5) i WHERE NOT EXISTS (SELECT FROM t);\nVACUUM t;\n"
      "INSERT INTO t (j) SELECT 6 WHERE NOT EXISTS (SELECT FROM t WHERE j = 6);",
      "TRUNCATE t;");
  const Checked result = checked({"--depth", "full"});
  EXPECT_TRUE(result.finding("retry-hides-damage").is_null()) << result.outcome.said();
}

/// Keeps books with a dirty flag, as golang-migrate does, and commits what it sends statement by statement.
TEST_F(Interrupted, a_program_that_finds_its_own_dirty_flag_is_run_again_and_refuses) {
  m_folder.write("m/tool.sh", R"sh(#!/bin/sh
set -e
sql() { psql -XAtq -v ON_ERROR_STOP=1 "$DATABASE_URL" "$@"; }
case "$1" in
  list) echo 1; echo 2; exit;;
  down) [ "$2" = 2 ] && sql -c 'DROP TABLE b' || sql -c 'DROP TABLE a'; exit;;
esac
sql -c 'CREATE TABLE IF NOT EXISTS books (dirty boolean)' -c 'INSERT INTO books SELECT false WHERE NOT EXISTS (SELECT FROM books)'
if [ "$KEEPS_FLAG" = yes ] && [ "$(sql -c 'SELECT dirty FROM books')" = t ]; then echo "Dirty database version $2" >&2; exit 1; fi
[ "$2" = 1 ] && name=a || name=b
sql -c 'UPDATE books SET dirty = true' -c "CREATE TABLE IF NOT EXISTS $name (id int)" -c 'UPDATE books SET dirty = false'
)sh");
  const auto scenario = [&](const std::string& flag) {
    m_folder.write("s.yaml",
                   "scenario: s\nengine: postgres\ndepth: standard\ninit: CREATE TABLE books (dirty "
                   "boolean)\nmigrations:\n"
                   "  path: m\n  format: commands\n  only: [2]\n  tool:\n    list: [sh, tool.sh, list]\n"
                   "    up: [sh, tool.sh, up, '{version}']\n    down: [sh, tool.sh, down, '{version}']\n"
                   "    environment: {KEEPS_FLAG: '" +
                       flag + "'}\n");
    return check({"s.yaml", "--seed-rows", "0"}, {m_folder.path()});
  };
  const Checked dirty = scenario("yes");
  const auto finding = dirty.finding("not-resumable");
  ASSERT_FALSE(finding.is_null()) << dirty.outcome.said();
  EXPECT_THAT(finding.dump(), HasSubstr("Dirty database version 2"));
  const Checked clean = scenario("no");
  EXPECT_TRUE(clean.finding("not-resumable").is_null()) << clean.outcome.said();
  const auto& stops = clean.run().at("migrations")[0].at("interruptions");
  ASSERT_EQ(stops.size(), 1U) << clean.outcome.said();
  EXPECT_EQ(stops[0].at("how"), "session_ended");
  EXPECT_EQ(stops[0].at("retried"), true);
  EXPECT_TRUE(stops[0].at("retry_error").is_null());
  const Checked full =
      check({"s.yaml", "--seed-rows", "0", "--depth", "full"}, {.directory = m_folder.path()});
  EXPECT_TRUE(full.finding("not-resumable").is_null()) << full.outcome.said();
  std::set<std::string> killed;
  for (const auto& stop : full.run().at("migrations")[0].at("interruptions")) {
    EXPECT_TRUE(stop.at("retry_error").is_null()) << stop;
    if (stop.at("how") == "server_killed") killed.insert(stop.at("side"));
  }
  EXPECT_EQ(killed, (std::set<std::string>{"up", "down"})) << full.outcome.said();
}

TEST_F(Interrupted, a_side_without_a_transaction_on_sqlite_meets_its_own_half) {
  m_folder.write("m.sql", "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2);");
  write("1_a", "ALTER TABLE t ADD COLUMN a TEXT;\nCREATE INDEX t_a ON t (a);",
        "DROP INDEX t_a;\nALTER TABLE t DROP COLUMN a;");
  const std::vector<std::string> sqlite = {"--engine", "sqlite", "--fixture", "m.sql"};
  const Checked together = checked(sqlite);
  EXPECT_EQ(together.outcome.exit_code, 0) << together.outcome.said();
  bool locked = false;
  for (const auto& stop : together.run().at("migrations")[0].at("interruptions")) {
    if (stop.at("how") != "database_locked") continue;
    locked = true;
    EXPECT_EQ(stop.at("error").at("sqlstate"), "SQLITE_BUSY");
    EXPECT_THAT(stop.at("left").at("objects"), IsEmpty());
  }
  EXPECT_TRUE(locked);
  std::vector<std::string> alone = sqlite;
  alone.insert(alone.end(), {"--transaction", "statement"});
  EXPECT_THAT(checked(alone).rules(), IsSupersetOf({"not-atomic", "not-resumable"}));
}

}  // namespace
}  // namespace lockkeeper::app::testing
