#include "history/formats/dbmate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

using DbmateTest = HistoryTest;

TEST_F(DbmateTest, sections_are_sent_whole_and_ordered_by_file_name) {
  write("10_b.sql", "-- migrate:up\nSELECT 1;\nSELECT 2;\n-- migrate:down\nSELECT 3;\n");
  write("9_a.sql", "-- x\r\n--migrate:up transaction:false\r\nVACUUM;\r\n-- migrate:down foo:1\r\n");
  write("x.sql");
  write("notes.md");
  const History history = loaded();
  EXPECT_EQ(history.format, "dbmate");
  EXPECT_EQ(versions(history), (Texts{"10", "9"}));
  EXPECT_EQ(history.not_taken, (Texts{"notes.md: not a .sql file", "x.sql: does not begin with digits"}));
  EXPECT_EQ(statements(history.migrations[0].up()), (Texts{"SELECT 1", "SELECT 2"}));
  EXPECT_EQ(messages(history.migrations[0].up()), (std::vector<std::size_t>{0, 0}));
  EXPECT_EQ(statements(history.migrations[0].down()), Texts{"SELECT 3"});
  EXPECT_EQ(shapes(history.migrations[1].up()), Texts{"autocommit: transaction:false at 2:1"});
  EXPECT_EQ(shapes(history.migrations[1].down()), Texts{"one transaction"});
  EXPECT_EQ(history.migrations[0].down_line, 4);
  EXPECT_EQ(history.migrations[0].note_of(record::Side::up),
            "INSERT INTO public.schema_migrations (version) VALUES ('10')");
}

TEST_F(DbmateTest, what_dbmate_refuses_is_refused_with_its_line) {
  const std::string hint = "\nhint: a migration is '-- migrate:up', its SQL, '-- migrate:down', its SQL";
  const auto said = [&](const std::string& text) {
    write("1_a.sql", text);
    return failure("dbmate");
  };
  write("2_b.sql", "-- migrate:up\n-- migrate:down\n");
  EXPECT_EQ(said("-- migrate:up\nSELECT 1;\n"),
            "DIR/1_a.sql: error: dbmate refuses 'DIR/1_a.sql': it has no '-- migrate:down'" + hint);
  EXPECT_EQ(said(" -- migrate:up\n-- migrate:down\n"),
            "DIR/1_a.sql: error: dbmate refuses 'DIR/1_a.sql': it has no '-- migrate:up'" + hint);
  EXPECT_EQ(said("-- migrate:down\n-- migrate:up\n"),
            "DIR/1_a.sql:1:1: error: dbmate refuses 'DIR/1_a.sql': '-- migrate:down' stands before '-- "
            "migrate:up'" +
                hint);
  EXPECT_EQ(
      said("SELECT 1;\n-- migrate:up\n-- migrate:down\n"),
      "DIR/1_a.sql:1:1: error: dbmate refuses 'DIR/1_a.sql': a statement stands before '-- migrate:up'" +
          hint);
  EXPECT_EQ(said("-- migrate:up\n-- migrate:down\n-- migrate:down\n"),
            "DIR/1_a.sql:3:1: error: dbmate refuses 'DIR/1_a.sql': '-- migrate:down' stands twice" + hint);
  EXPECT_EQ(said("-- migrate:up\n-- migrate:down\n-- migrate:up\n-- migrate:down\n"),
            "DIR/1_a.sql:3:1: error: dbmate refuses 'DIR/1_a.sql': a second '-- migrate:up' would note the "
            "version twice" +
                hint);
}

TEST_F(DbmateTest, options_are_words_and_the_last_counts) {
  write("1_a.sql", "-- migrate:up transaction:false\ttransaction:true\n-- migrate:down transaction:no\n");
  EXPECT_EQ(shapes(loaded().migrations[0].up()), Texts{"one transaction"});
  EXPECT_EQ(shapes(loaded().migrations[0].down()), Texts{"one transaction"});
}

}  // namespace
}  // namespace lockkeeper::history
