#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program_test.h"

namespace lockkeeper::app::testing {

namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

/// Migrations that attack the server and the sessions that they run in. Whatever they do: the run ends with a
/// finding at the statement, and nothing of it stays.
class HostileMigration : public ::testing::Test {
 protected:
  Checked rehearse(const std::string& up, std::vector<std::string> arguments = {}) const {
    m_folder.write("m/0001_a.up.sql", up);
    m_folder.write("m/0001_a.down.sql", "DROP TABLE IF EXISTS t;\n");
    arguments.insert(arguments.begin(), "m");
    return check(arguments, {m_folder.path()});
  }
  void expect_up_fails(const Checked& checked, int line, int column, const std::string& message) const {
    EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
    const json finding = checked.finding("up-fails");
    ASSERT_TRUE(finding.is_object()) << checked.outcome.said();
    EXPECT_EQ(finding["side"], "up");
    EXPECT_EQ(finding["location"], (json{{"file", "m/0001_a.up.sql"}, {"line", line}, {"column", column}}));
    EXPECT_THAT(finding["message"].get<std::string>(), HasSubstr(message));
  }

  Folder m_folder;
};

TEST_F(HostileMigration, that_never_ends_is_stopped_at_its_statement) {
  const Checked checked =
      rehearse("CREATE TABLE t (id int);\n  SELECT pg_sleep(3600);\n", {"--timeout", "1"});
  expect_up_fails(checked, 2, 3, "did not end within 1.0 s (--timeout)");
}

TEST_F(HostileMigration, that_loops_in_the_server_is_stopped_too) {
  const Checked checked = rehearse(
      "DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(10); EXCEPTION WHEN others THEN NULL; END; END LOOP; END "
      "$$;\n",
      {"--timeout", "1"});
  expect_up_fails(checked, 1, 1, "did not end within 1.0 s (--timeout)");
}

TEST_F(HostileMigration, that_ends_its_own_session) {
  const Checked checked =
      rehearse("CREATE TABLE t (id int);\nSELECT pg_terminate_backend(pg_backend_pid());\n");
  expect_up_fails(checked, 2, 1, "terminating connection due to administrator command");
}

TEST_F(HostileMigration, that_ends_every_other_session_cannot_disturb_the_run) {
  const Checked checked = rehearse(
      "CREATE TABLE t (id int);\n"
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid();\n");
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_EQ(checked.outcome.errors, "");
}

TEST_F(HostileMigration, that_drops_its_own_database) {
  const Checked checked = rehearse("CREATE TABLE t (id int);\nDROP DATABASE lockkeeper;\n");
  expect_up_fails(checked, 2, 1, "cannot drop the currently open database");
}

TEST_F(HostileMigration, that_drops_its_own_database_from_outside) {
  const Checked checked = rehearse(
      "CREATE TABLE t (id int);\nCOMMIT;\n"
      "COPY t FROM PROGRAM 'psql -X -q -h \"$(sed -n 5p postmaster.pid)\" -p 5432 -U postgres -d postgres "
      "-c \"DROP DATABASE lockkeeper WITH (FORCE)\" >&2 || true';\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_TRUE(checked.finding("up-fails").is_object()) << checked.outcome.said();
  EXPECT_EQ(checked.outcome.errors, "");
}

TEST_F(HostileMigration, that_crashes_the_server) {
  const Checked checked = rehearse("CREATE TABLE t (id int);\nCOPY t FROM PROGRAM 'kill -9 $PPID';\n");
  expect_up_fails(checked, 2, 1, "server closed the connection unexpectedly");
  EXPECT_THAT(checked.outcome.output, HasSubstr("the side took its session or the server with it"));
  EXPECT_THAT(checked.outcome.output, Not(HasSubstr("raise --timeout")));
  EXPECT_EQ(checked.outcome.errors, "");
}

TEST_F(HostileMigration, that_crashes_the_server_makes_no_session_of_ours_speak_on_the_error_stream) {
  m_folder.write("m/0001_a.up.sql", "CREATE TABLE t (id int);\n");
  m_folder.write("m/0001_a.down.sql", "DROP TABLE t;\n");
  m_folder.write("m/0002_b.up.sql", "COPY t FROM PROGRAM 'kill -9 $PPID';\n");
  m_folder.write("m/0002_b.down.sql", "SELECT 1;\n");
  // An invariant keeps a session of the probe open while the server goes.
  m_folder.write("s.yaml",
                 "scenario: s\nengine: postgres\nmigrations: {path: m}\n"
                 "invariants: [{name: one, sql: 'SELECT 1'}]\n");
  const Checked checked = check({"s.yaml"}, {m_folder.path()});
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_EQ(checked.outcome.errors, "");
}

TEST_F(HostileMigration, that_speaks_at_every_login_is_not_heard_on_the_error_stream) {
  const Checked checked =
      rehearse("CREATE TABLE t (id int);\nALTER DATABASE lockkeeper SET client_min_messages = debug1;\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_EQ(checked.outcome.errors, "");
}

TEST_F(HostileMigration, that_stops_the_server) {
  const Checked checked =
      rehearse("CREATE TABLE t (id int);\nCOPY t FROM PROGRAM 'kill -QUIT $(head -n 1 postmaster.pid)';\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_TRUE(checked.finding("up-fails").is_object()) << checked.outcome.said();
}

TEST_F(HostileMigration, that_kills_the_server_outright) {
  const Checked checked =
      rehearse("CREATE TABLE t (id int);\nCOPY t FROM PROGRAM 'kill -KILL $(head -n 1 postmaster.pid)';\n");
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
  EXPECT_TRUE(checked.finding("up-fails").is_object()) << checked.outcome.said();
}

TEST_F(HostileMigration, that_makes_the_database_read_only_or_closed) {
  const Checked checked = rehearse(
      "CREATE TABLE t (id int);\n"
      "ALTER DATABASE lockkeeper SET default_transaction_read_only = on;\n");
  // The database's settings are part of its state: that they stay is what the run finds.
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
}

TEST_F(HostileMigration, that_leaves_a_process_behind_leaves_none_after_the_run) {
  const Checked checked = rehearse(
      "CREATE TABLE t (id int);\n"
      "COPY t FROM PROGRAM 'sleep 1000 >/dev/null 2>&1 & true';\n");
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
}

TEST_F(HostileMigration, that_holds_a_lock_in_a_prepared_transaction) {
  const Checked checked = rehearse(
      "CREATE TABLE t (id int);\nINSERT INTO t VALUES (1);\nCOMMIT;\n"
      "BEGIN;\nLOCK TABLE t IN ACCESS EXCLUSIVE MODE;\nPREPARE TRANSACTION 'held';\n",
      {"--timeout", "2"});
  EXPECT_EQ(checked.outcome.exit_code, 1) << checked.outcome.said();
}

}  // namespace

}  // namespace lockkeeper::app::testing
