#include "history/formats/tern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

class TernTest : public HistoryTest {
 protected:
  static std::string sides(const std::string& up, const std::string& down) {
    return up + "\n---- create above / drop below ----\n" + down;
  }
};

TEST_F(TernTest, sides_stand_above_and_below_the_line) {
  write("002_b.sql", sides("SELECT 1; SELECT 2;", "SELECT 3;"));
  write("1_a.sql", sides("-- x\n---- tern: disable-tx ----\nVACUUM; SELECT 4;", " \n"));
  write("tern.conf");
  write("shared/f.sql");
  const History history = loaded();
  EXPECT_EQ(history.format, "tern");
  EXPECT_EQ(history.detected_by, "'---- create above / drop below ----' in 002_b.sql");
  EXPECT_EQ(versions(history), (Texts{"1", "002"}));
  EXPECT_EQ(history.not_taken, (Texts{"shared/: a folder, for what templates take in",
                                      "tern.conf: not named <number>_<name>.sql"}));
  EXPECT_EQ(statements(history.migrations[0].up()), (Texts{"VACUUM", "SELECT 4"}));
  EXPECT_EQ(messages(history.migrations[0].up()), (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(shapes(history.migrations[0].up()), Texts{"autocommit: ---- tern: disable-tx ---- at 2:1"});
  EXPECT_EQ(history.migrations[0].down_path, std::nullopt);
  EXPECT_EQ(statements(history.migrations[1].down()), Texts{"SELECT 3"});
  EXPECT_EQ(messages(history.migrations[1].up()), (std::vector<std::size_t>{0, 0}));
  EXPECT_EQ(shapes(history.migrations[1].up()), Texts{"one transaction"});
  EXPECT_EQ(history.migrations[1].down_line, 2);
  EXPECT_EQ(history.migrations[1].note_of(record::Side::down),
            "UPDATE public.schema_version SET version = 002 - 1");
}

TEST_F(TernTest, a_line_that_ends_in_carriage_return_turns_no_transaction_off) {
  write("1_a.sql", "---- tern: disable-tx ----\r\nSELECT 1;\r\n---- create above / drop below ----\r\n");
  EXPECT_EQ(shapes(loaded().migrations[0].up()), Texts{"one transaction"});
}

TEST_F(TernTest, what_tern_refuses_is_refused) {
  write("1_a.sql", sides("SELECT 1;", ""));
  write("3_c.sql", sides("-- nothing", "SELECT 1;"));
  write("4_d.sql", sides("SELECT {{ .x }};", ""));
  EXPECT_EQ(failure(),
            "error: migrations 'DIR': 3 faults in their files\n"
            "DIR: tern refuses 'DIR': migration 2 is missing\n"
            "DIR/3_c.sql:1:1: tern refuses 'DIR/3_c.sql': no SQL in its up\n"
            "DIR/4_d.sql:1:8: cannot read 'DIR/4_d.sql': a template, which tern fills in\n"
            "hint: numbers go from 1 on without a gap; SQL stands above the line '---- create above / drop "
            "below ----'; write the SQL out");
}

TEST_F(TernTest, one_number_written_in_two_ways_is_one) {
  write("1_a.sql", sides("SELECT 1;", ""));
  write("01_b.sql", sides("SELECT 1;", ""));
  EXPECT_THAT(failure(), ::testing::HasSubstr("two migrations have it, '01_b.sql' and '1_a.sql'"));
}

}  // namespace
}  // namespace lockkeeper::history
