#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program_test.h"

namespace lockkeeper::app::testing {

namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A sqitch project end to end; whether it does what sqitch itself does is for fidelity_test.cpp to say.
class SqitchProject : public ::testing::Test {
 protected:
  SqitchProject() {
    m_folder.write("m/sqitch.plan",
                   "%syntax-version=1.0.0\n%project=try\n\n"
                   "users 2026-01-31T12:00:00Z Ann <ann@example.com> # users\n"
                   "rows [users] 2026-01-31T12:00:00Z Ann <ann@example.com> # rows\n");
    m_folder.write("m/deploy/users.sql",
                   "BEGIN;\nCREATE TABLE users (id int PRIMARY KEY, name text);\nCOMMIT;\n");
    m_folder.write("m/revert/users.sql", "DROP TABLE users;\n");
    m_folder.write("m/revert/rows.sql", "DELETE FROM users;\n");
    m_folder.write("m/shared/more.sql", "INSERT INTO :t\nVALUES (3, 'c');\n");
  }
  Checked checked(const std::string& rows) const {
    m_folder.write("m/deploy/rows.sql", rows);
    return check({"m"}, {m_folder.path()});
  }

  Folder m_folder;
};

TEST_F(SqitchProject, rows_behind_copy_and_included_files_are_sent) {
  const Checked passing = checked(
      "\\set t users\nBEGIN;\nCOPY :t (id, name) FROM stdin;\n1\ta\n2\tb\n\\.\n\\ir ../shared/more.sql\n"
      "DO $$ BEGIN ASSERT (SELECT count(*) FROM users) = 3; END $$;\nCOMMIT;\n");
  EXPECT_EQ(passing.outcome.exit_code, 0) << passing.outcome.said();
  EXPECT_EQ(passing.run()["format"], "sqitch");
}

TEST_F(SqitchProject, errors_are_shown_in_the_file_that_they_stand_in) {
  const Checked failing = checked("\\set t nowhere\nSELECT 1;\n\\i shared/more.sql\n");
  EXPECT_EQ(failing.outcome.exit_code, 1) << failing.outcome.said();
  EXPECT_THAT(failing.outcome.output,
              HasSubstr("m/shared/more.sql:1:13: error: up stops with an error: relation "
                        "\"nowhere\" does not exist (SQLSTATE 42P01)"));
}

TEST_F(SqitchProject, what_a_script_sets_ends_with_its_psql) {
  const Checked passing = checked("SET client_min_messages = 'warning';\nINSERT INTO users VALUES (1);\n");
  EXPECT_THAT(passing.rules(), IsEmpty()) << passing.outcome.said();
}

TEST_F(SqitchProject, a_row_that_copy_refuses_stops_it) {
  const Checked failing = checked("COPY users FROM stdin;\n1\ta\nx\tb\n\\.\n");
  EXPECT_EQ(failing.outcome.exit_code, 1) << failing.outcome.said();
  EXPECT_THAT(
      failing.outcome.output,
      HasSubstr(
          "m/deploy/rows.sql:1:1: error: up stops with an error: invalid input syntax for type integer"));
}

TEST_F(SqitchProject, meta_commands_that_cannot_be_are_refused_before_a_server_is_started) {
  const Checked refused = checked("SELECT 1;\n\\! date\n");
  EXPECT_EQ(refused.outcome.exit_code, 2) << refused.outcome.said();
  EXPECT_THAT(refused.outcome.output, HasSubstr("m/deploy/rows.sql:2:1: error: psql meta-command '\\!' in "
                                                "'m/deploy/rows.sql': it runs a shell command"));
}

}  // namespace

}  // namespace lockkeeper::app::testing
