#include "history/formats/sqlx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

class SqlxTest : public HistoryTest {
 protected:
  void SetUp() override {
    HistoryTest::SetUp();
    write("../../Cargo.toml", "[dependencies.sqlx]\nversion = \"0.8\"\n");
  }
};

TEST_F(SqlxTest, files_without_a_down_are_a_history_without_downs) {
  write("10_b_c.sql", "SELECT 1; SELECT 2;");
  write("9_a.sql", "-- no-transaction\nVACUUM;");
  write("notes.md");
  write("seed.sql");
  fs::create_directory(m_folder / "x_y.sql");
  const History history = loaded();
  EXPECT_EQ(history.format, "sqlx");
  EXPECT_EQ(history.detected_by, (fs::canonical(m_root) / "Cargo.toml").string() + " names sqlx");
  EXPECT_FALSE(history.has_down);
  EXPECT_EQ(versions(history), (Texts{"9", "10"}));
  EXPECT_EQ(history.migrations[1].name, "b_c");
  EXPECT_EQ(history.not_taken, (Texts{"notes.md: not named <number>_<name>.sql",
                                      "seed.sql: not named <number>_<name>.sql", "x_y.sql/: a folder"}));
  EXPECT_EQ(shapes(history.migrations[0].up()), Texts{"autocommit: -- no-transaction at 1:1"});
  EXPECT_EQ(shapes(history.migrations[1].up()), Texts{"one transaction"});
  EXPECT_EQ(messages(history.migrations[1].up()), (std::vector<std::size_t>{0, 0}));
  EXPECT_EQ(history.migrations[1].note_of(record::Side::up),
            "INSERT INTO public._sqlx_migrations (version, description, success, checksum, execution_time) "
            "VALUES (10, 'b c', true, '', -1)");
}

TEST_F(SqlxTest, sides_belong_together_by_number) {
  write("1_a.up.sql", "SELECT 1;");
  write("01_a.down.sql", "\xEF\xBB\xBF-- no-transaction\r\nSELECT 1; SELECT 2;");
  write("2_b.down.sql");
  const History history = loaded();
  EXPECT_TRUE(history.has_down);
  ASSERT_EQ(history.migrations.size(), 1U);
  EXPECT_EQ(history.migrations[0].down_path, folder() + "/01_a.down.sql");
  EXPECT_EQ(shapes(history.migrations[0].down()),
            Texts{"one message: sqlx sends it as one message, of which the server makes one transaction"});
  EXPECT_EQ(history.not_taken, Texts{"2_b.down.sql: a down without its up, which sqlx never runs"});
}

TEST_F(SqlxTest, a_prefix_that_is_no_number_is_refused) {
  write("1_a.sql");
  write("v2_b.sql");
  EXPECT_EQ(failure(),
            "DIR/v2_b.sql: error: sqlx refuses 'v2_b.sql': 'v2' is no number\n"
            "hint: name it <number>_<name>.sql, or move it elsewhere");
}

TEST_F(SqlxTest, a_first_line_tells_the_format_alone) {
  fs::remove(m_root / "Cargo.toml");
  write("1_a.up.sql");
  EXPECT_EQ(loaded().format, "plain");
  write("2_b.up.sql", "-- no-transaction\n");
  EXPECT_EQ(loaded().format, "sqlx");
}

}  // namespace
}  // namespace lockkeeper::history
