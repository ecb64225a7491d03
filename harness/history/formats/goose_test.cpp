#include "history/formats/goose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/formats/goose_environment.h"
#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

class GooseTest : public HistoryTest {
 protected:
  std::string said(const std::string& text) const {
    write("1_a.sql", text);
    std::string whole = failure("goose");
    return whole.substr(0, whole.find("\nhint: "));
  }
};

TEST_F(GooseTest, statements_end_with_their_line_or_their_block) {
  write("00001_a.sql",
        "\xEF\xBB\xBF-- +goose Up\r\n-- note;\r\nSELECT 1; -- one\r\nSELECT\r\n  2;\r\n"
        "-- +goose StatementBegin\r\n-- kept\r\nDO $$ BEGIN\n-- in it\nPERFORM 1; END $$;\r\n"
        "-- +goose StatementEnd\r\n-- +goose down\r\nSELECT 3; SELECT 4;\r\n");
  write("10_b.sql", "-- +goose NO TRANSACTION\n-- +goose up\nVACUUM;\n");
  write("2_c.go");
  write("2_c_test.go");
  write("README.md");
  const History history = loaded();
  EXPECT_EQ(history.format, "goose");
  EXPECT_EQ(versions(history), (Texts{"00001", "10"}));
  EXPECT_EQ(history.not_taken,
            (Texts{"2_c.go: a migration in Go, which only the project's own program can run",
                   "2_c_test.go: not a .sql file", "README.md: not a .sql file"}));
  EXPECT_EQ(statements(history.migrations[0].up()),
            (Texts{"SELECT 1", "SELECT\r\n  2", "DO $$ BEGIN\n-- in it\nPERFORM 1; END $$"}));
  EXPECT_EQ(messages(history.migrations[0].up()), (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_EQ(messages(history.migrations[0].down()), (std::vector<std::size_t>{0, 0}));
  EXPECT_EQ(shapes(history.migrations[0].up()), Texts{"one transaction"});
  EXPECT_EQ(shapes(history.migrations[1].up()), Texts{"autocommit: -- +goose NO TRANSACTION at 1:1"});
  EXPECT_EQ(history.migrations[1].down_path, std::nullopt);
}

TEST_F(GooseTest, files_that_the_command_cannot_number_are_refused) {
  write("1_a.sql", "-- +goose Up\nSELECT 1;\n");
  write("seed.sql");
  write("x1_a.sql");
  write("0_a.sql");
  EXPECT_EQ(failure(),
            "error: migrations 'DIR': 3 faults in their files\n"
            "DIR/0_a.sql: goose refuses '0_a.sql': its number must be above zero\n"
            "DIR/seed.sql: goose refuses 'seed.sql': no '_' behind a number\n"
            "DIR/x1_a.sql: goose refuses 'x1_a.sql': 'x1' is no number\n"
            "hint: name it <number>_<name>.sql, or move it elsewhere");
}

TEST_F(GooseTest, one_number_written_in_two_ways_is_one) {
  write("1_a.sql", "-- +goose Up\n");
  write("001_b.sql", "-- +goose Up\n");
  EXPECT_THAT(failure(), ::testing::HasSubstr("two migrations have it, '001_b.sql' and '1_a.sql'"));
}

TEST_F(GooseTest, what_goose_refuses_is_refused_with_its_line) {
  const std::string refused = ": error: goose refuses 'DIR/1_a.sql': ";
  EXPECT_EQ(said("-- +goose Up\nSELECT 1"),
            "DIR/1_a.sql:2:1" + refused + "the last statement has no semicolon at the end of its line");
  EXPECT_EQ(said("-- +goose Up\nSELECT 1\n-- +goose Down\n"),
            "DIR/1_a.sql:2:1" + refused + "the statement before has no semicolon at the end of its line");
  EXPECT_EQ(said("SELECT 1;\n-- +goose Up\n"),
            "DIR/1_a.sql:1:1" + refused + "a statement stands before '-- +goose Up'");
  EXPECT_EQ(said(" -- +goose Up\n"), "DIR/1_a.sql:1:1" + refused + "white space stands before an annotation");
  EXPECT_EQ(said("-- +goose Up\n-- about +goose\n"),
            "DIR/1_a.sql:2:1" + refused + "unknown annotation '+goose about'");
  EXPECT_EQ(said("-- +goose\n"), "DIR/1_a.sql:1:1" + refused + "an annotation without a word");
  EXPECT_EQ(said("-- +goose Up\n-- +goose StatementBegin\nSELECT 1;\n"),
            "DIR/1_a.sql:3:1" + refused + "StatementEnd is missing");
  EXPECT_EQ(
      said("-- +goose Up\n-- +goose StatementBegin\n-- +goose StatementEnd\nSELECT 1;\n"),
      "DIR/1_a.sql:4:1" + refused + "behind an empty StatementBegin and StatementEnd it drops this line");
  EXPECT_EQ(said(""), "DIR/1_a.sql:1:1" + refused + "it has no '-- +goose Up'");
}

TEST_F(GooseTest, the_environment_is_put_in_where_it_is_asked_for) {
  ::setenv("LOCKKEEPER_TEST_NAME", "tiger", 1);
  write(
      "1_a.sql",
      "-- +goose Up\nSELECT '$LOCKKEEPER_TEST_NAME';\n-- +goose ENVSUB ON\n"
      "SELECT '${LOCKKEEPER_TEST_NAME}', '${LOCKKEEPER_TEST_NONE:-x}', '$$', '\\$';\n-- +goose ENVSUB OFF\n");
  const auto sent = statements(loaded().migrations[0].up());
  ::unsetenv("LOCKKEEPER_TEST_NAME");
  EXPECT_EQ(sent, (Texts{"SELECT '$LOCKKEEPER_TEST_NAME'", "SELECT 'tiger', 'x', '$', '$'"}));
}

TEST(GooseEnvironment, expansions_are_those_of_its_library) {
  ::setenv("LKT", "tiger", 1);
  ::setenv("LKE", "", 1);
  const auto put = [](const char* line) {
    const auto text = formats::goose::with_environment(line);
    return text ? *text : "refused: " + text.error();
  };
  EXPECT_EQ(put("$LKT-${LKT}x $LKN. 100$"), "tiger-tigerx . 100$");
  EXPECT_EQ(put("${LKN-a} ${LKE-a} ${LKE:-a} ${LKN:-${LKT}}"), "a  a tiger");
  EXPECT_EQ(put("${LKT:1} ${LKT:1:2} ${LKT: -2} ${LKT:9} ${LKT:0:99}"), "iger ig er  tiger");
  EXPECT_EQ(put("$$ \\$ \\\\ $(x) ${LKT?no}"), "$ $ \\\\ $(x) tiger");
  EXPECT_EQ(put("${LKN?gone}"), "refused: $LKN: gone");
  EXPECT_EQ(put("$1"), "refused: no name behind a dollar sign");
  EXPECT_EQ(put("${LKT"), "refused: no operator behind a name in braces");
  EXPECT_EQ(put("${LKT-a"), "refused: a brace is not closed");
  EXPECT_EQ(put("${LKT:x}"), "refused: a part of a value without a number");
  ::unsetenv("LKT");
  ::unsetenv("LKE");
}

}  // namespace
}  // namespace lockkeeper::history
