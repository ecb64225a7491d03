#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program_test.h"

namespace lockkeeper::app::testing {

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Of what a migration leaves in the schema only the end of the trial counts.
class TrialEnd : public ::testing::Test {
 protected:
  void write(const std::string& version, const std::string& up, const std::string& down) const {
    m_folder.write("m/" + version + ".up.sql", up);
    m_folder.write("m/" + version + ".down.sql", down);
  }
  Checked checked() const { return check({"m", "--depth", "quick"}, {m_folder.path()}); }

  Folder m_folder;
};

TEST_F(TrialEnd, an_index_in_a_later_migration_serves_the_key) {
  write("1_key", "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p_id int REFERENCES p);",
        "DROP TABLE c; DROP TABLE p;");
  EXPECT_THAT(checked().rules(), ElementsAre("foreign-key-without-index"));
  write("2_index", "CREATE INDEX CONCURRENTLY c_p_id ON c (p_id);", "DROP INDEX c_p_id;");
  const Checked both = checked();
  EXPECT_THAT(both.rules(), IsEmpty()) << both.outcome.said();
}

TEST_F(TrialEnd, a_table_that_is_renamed_keeps_its_key_and_is_told_once) {
  write("1_key", "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p_id int REFERENCES p);",
        "DROP TABLE c; DROP TABLE p;");
  write("2_rename", "ALTER TABLE c RENAME TO z;", "ALTER TABLE z RENAME TO c;");
  const Checked both = checked();
  EXPECT_THAT(both.rules(), ElementsAre("foreign-key-without-index")) << both.outcome.said();
  EXPECT_EQ(both.finding("foreign-key-without-index")["migration"], "1");
  const Checked rename = check({"m", "--last", "1"}, {m_folder.path()});
  EXPECT_THAT(rename.rules(), IsEmpty()) << rename.outcome.said();
}

TEST_F(TrialEnd, an_invalid_index_that_a_later_migration_completes_is_no_fault) {
  write("1_table", "CREATE TABLE e (at int) PARTITION BY LIST (at); CREATE TABLE e1 PARTITION OF e DEFAULT;",
        "DROP TABLE e;");
  write("2_index", "CREATE INDEX e_at ON ONLY e (at);", "DROP INDEX e_at;");
  EXPECT_THAT(checked().rules(), ElementsAre("index-invalid"));
  write("3_part", "CREATE INDEX e1_at ON e1 (at); ALTER INDEX e_at ATTACH PARTITION e1_at;",
        "DROP INDEX e_at; CREATE INDEX e_at ON ONLY e (at);");
  const Checked all = checked();
  EXPECT_THAT(all.rules(), IsEmpty()) << all.outcome.said();
}

TEST_F(TrialEnd, what_a_failing_up_leaves_behind_is_not_held_against_the_chain) {
  write("1_table", "CREATE TABLE a (id int);", "DROP TABLE a;");
  write("2_half", "CREATE TABLE b (id int); GRANT SELECT ON a TO PUBLIC; SELECT 1 / 0;", "DROP TABLE b;");
  const Checked half = check({"m", "--transaction", "statement"}, {m_folder.path()});
  EXPECT_THAT(half.rules(), ElementsAre("up-fails")) << half.outcome.said();
}

}  // namespace

}  // namespace lockkeeper::app::testing
