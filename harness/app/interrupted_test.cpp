#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program_test.h"

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
