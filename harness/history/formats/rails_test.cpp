#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RailsTest : public HistoryTest {
 protected:
  void SetUp() override {
    HistoryTest::SetUp();
    write("../../config/application.rb", "");
    write("../../bin/rails", "");
  }
};

TEST_F(RailsTest, numbers_decide_also_below_the_folder) {
  write("20240102000000_b.rb", "");
  write("20240101000000_a.rb", "");
  write("more/20240101120000_add_c2.users.rb", "");
  write("20240103000000_Bad.rb", "");
  write("notes.md", "");
  const History history = loaded();
  EXPECT_EQ(history.format, "rails");
  EXPECT_THAT(versions(history), ElementsAre("20240101000000", "20240101120000", "20240102000000"));
  EXPECT_EQ(history.migrations[1].name, "add_c2");
  EXPECT_THAT(history.not_taken,
              ElementsAre("20240103000000_Bad.rb: not named <number>_<name>.rb in small letters",
                          "notes.md: not named <number>_<name>.rb in small letters"));
}

TEST_F(RailsTest, one_is_run_alone_and_the_schema_file_is_left_as_it_is) {
  if (!find_in_path("ruby")) GTEST_SKIP() << "ruby is not installed";
  write("20240101000000_a.rb", "");
  const Migration migration = loaded().migrations.at(0);
  const auto up = migration.command(migration, record::Side::up);
  ASSERT_TRUE(up);
  EXPECT_THAT(up->command.argv, ElementsAre("ruby", "bin/rails", "db:migrate:up"));
  EXPECT_EQ(up->command.environment.at("VERSION"), "20240101000000");
  EXPECT_EQ(up->command.environment.at("SCHEMA"), "/dev/null");
  EXPECT_EQ(migration.command(migration, record::Side::down)->shown,
            "rails db:migrate:down VERSION=20240101000000");
}

TEST_F(RailsTest, two_of_a_number_or_of_a_name_are_refused) {
  write("1_a.rb", "");
  write("2_a.rb", "");
  EXPECT_EQ(failure(),
            "DIR/2_a.rb: error: rails refuses 'DIR/2_a.rb': '1_a.rb' has the same name\n"
            "hint: give one of the classes another name, and its file with it");
  fs::rename(m_folder / "2_a.rb", m_folder / "01_b.rb");
  EXPECT_THAT(failure(), HasSubstr("two migrations have it, '01_b.rb' and '1_a.rb'"));
}

TEST_F(RailsTest, without_an_application_above_it_is_no_rails) {
  write("1_a.rb", "");
  fs::remove(m_root / "config" / "application.rb");
  EXPECT_THAT(failure(), HasSubstr("no file fits a layout that is read"));
}

}  // namespace
}  // namespace lockkeeper::history
