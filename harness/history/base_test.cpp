#include "history/base.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

using record::HistoryFactKind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class BaseTest : public HistoryTest {
 protected:
  void was(const std::string& name, const std::string& text = "SELECT 1;") const {
    write("../base/" + name, text);
  }
  Trial beside() const {
    scenario::Selection selection;
    selection.since_folder = (m_root / "db" / "base").string();
    const auto trial = choose(loaded(), selection);
    if (!trial) throw std::runtime_error(to_string(trial.error()));
    return *trial;
  }
  static std::vector<HistoryFactKind> kinds(const Trial& trial) {
    std::vector<HistoryFactKind> kinds;
    for (const auto& fact : trial.facts) kinds.push_back(fact.kind);
    return kinds;
  }
};

TEST_F(BaseTest, what_the_base_has_not_is_on_trial) {
  for (const char* name : {"1_a.up.sql", "2_b.up.sql"}) was(name);
  for (const char* name : {"1_a.up.sql", "2_b.up.sql", "3_c.up.sql", "4_d.up.sql"}) write(name);
  const Trial trial = beside();
  EXPECT_EQ(trial.first, 2U);
  EXPECT_THAT(trial.judged, ElementsAre(2, 3));
  EXPECT_THAT(trial.facts, IsEmpty());
}

TEST_F(BaseTest, another_statement_is_an_edit_and_another_comment_is_none) {
  was("1_a.up.sql", "CREATE TABLE t (a int);");
  was("2_b.up.sql", "-- of old\nSELECT 2;");
  write("1_a.up.sql", "CREATE TABLE t (a bigint);");
  write("2_b.up.sql", "-- better words\n\nSELECT 2;");
  write("3_c.up.sql");
  const Trial trial = beside();
  EXPECT_THAT(kinds(trial), ElementsAre(HistoryFactKind::edited));
  EXPECT_EQ(trial.facts[0].migration, "1");
}

TEST_F(BaseTest, a_changed_down_is_no_edit) {
  was("1_a.up.sql");
  was("1_a.down.sql", "SELECT 1;");
  write("1_a.up.sql");
  write("1_a.down.sql", "SELECT 2;");
  write("2_b.up.sql");
  EXPECT_THAT(beside().facts, IsEmpty());
}

TEST_F(BaseTest, a_migration_that_is_gone_is_an_edit) {
  was("1_a.up.sql");
  was("2_b.up.sql");
  write("1_a.up.sql");
  const Trial trial = beside();
  EXPECT_THAT(trial.judged, IsEmpty());
  ASSERT_THAT(kinds(trial), ElementsAre(HistoryFactKind::edited));
  EXPECT_EQ(trial.facts[0].migration, "2");
}

TEST_F(BaseTest, a_new_one_before_a_known_one_is_out_of_order) {
  was("1_a.up.sql");
  was("5_e.up.sql");
  for (const char* name : {"1_a.up.sql", "3_c.up.sql", "5_e.up.sql", "6_f.up.sql"}) write(name);
  const Trial trial = beside();
  EXPECT_THAT(trial.judged, ElementsAre(1, 3));
  ASSERT_THAT(kinds(trial), ElementsAre(HistoryFactKind::version_out_of_order));
  EXPECT_EQ(trial.facts[0].migration, "3");
  EXPECT_THAT(trial.facts[0].detail, ::testing::StartsWith("stands before 5, which '"));
}

TEST_F(BaseTest, nothing_new_and_nothing_edited_is_nothing_on_trial) {
  was("1_a.up.sql");
  write("1_a.up.sql");
  scenario::Selection selection;
  selection.since_folder = (m_root / "db" / "base").string();
  const auto trial = choose(loaded(), selection);
  ASSERT_FALSE(trial.has_value());
  EXPECT_EQ(trial.error().kind, FailureKind::nothing);
}

TEST_F(BaseTest, an_empty_base_puts_everything_on_trial) {
  fs::create_directories(m_root / "db" / "base");
  write("1_a.up.sql");
  EXPECT_THAT(beside().judged, ElementsAre(0));
}

}  // namespace
}  // namespace lockkeeper::history
