#include "history/formats/node_pg_migrate.h"

#include "history/history_test.h"
#include "history/locale_order.h"

namespace lockkeeper::history {
namespace {

using NodePgMigrateTest = HistoryTest;

TEST_F(NodePgMigrateTest, a_file_holds_both_sides) {
  write("1700000000000_a.sql",
        "-- Up Migration\nCREATE TABLE a ();\nCREATE TABLE b ();\n-- Down Migration\nDROP TABLE b, a;\n");
  const History history = loaded();
  EXPECT_EQ(history.format, "node-pg-migrate");
  EXPECT_TRUE(history.all_in_one);
  const Migration& migration = history.migrations.at(0);
  EXPECT_EQ(migration.version, "1700000000000");
  EXPECT_EQ(migration.name, "a");
  EXPECT_EQ(migration.up_line, 1);
  EXPECT_EQ(migration.down_line, 4);
  EXPECT_EQ(statements(migration.up()), (Texts{"CREATE TABLE a ()", "CREATE TABLE b ()"}));
  EXPECT_EQ(migration.up()->parts[0].shape, record::TransactionShape::one_transaction);
  EXPECT_EQ(statements(migration.down()), (Texts{"DROP TABLE b, a"}));
  EXPECT_EQ(migration.note_of(record::Side::up),
            "INSERT INTO public.pgmigrations (name, run_on) VALUES ('1700000000000_a', now())");
}

TEST_F(NodePgMigrateTest, markers_are_taken_as_the_tool_takes_them) {
  write("1_down_first.sql",
        "\r\n  ----  DOWN   migration of it\r\nSELECT 2;\r\n--up\tMigration\r\nSELECT 1;");
  write("2_no_up.sql", "SELECT 1;\n-- Down Migration\nSELECT 2;");
  write("3_none.sql", "SELECT 1;\n-- the up migration is above\n");
  const History history = loaded();
  EXPECT_EQ(statements(history.migrations[0].up()), (Texts{"SELECT 1"}));
  EXPECT_EQ(statements(history.migrations[0].down()), (Texts{"SELECT 2"}));
  EXPECT_EQ(statements(history.migrations[1].up()), (Texts{"SELECT 1", "SELECT 2"}));
  EXPECT_EQ(statements(history.migrations[1].down()), (Texts{"SELECT 2"}));
  EXPECT_EQ(statements(history.migrations[2].up()), (Texts{"SELECT 1"}));
  EXPECT_EQ(history.migrations[2].down_path, std::nullopt);
}

TEST_F(NodePgMigrateTest, dates_and_milliseconds_are_one_order) {
  write("1700000000000_b.sql", "-- Up Migration\n");
  write("20231114221319000_a.sql");
  write("20231114221321000_c.sql");
  write("7_x.sql");
  write("7_X10.sql");
  write("7_x9.sql");
  EXPECT_EQ(versions(loaded()),
            (Texts{"7_x9", "7_X10", "7_x", "20231114221319000", "1700000000000", "20231114221321000"}));
}

TEST_F(NodePgMigrateTest, other_files_are_said_and_names_without_a_number_refused) {
  write("1_a.sql", "-- Up Migration\n");
  write("2_b.js");
  write("3_c.ts");
  write("README.md");
  write(".keep");
  EXPECT_EQ(
      loaded().not_taken,
      (Texts{".keep: hidden", "2_b.js: a migration in code, which only the project's own program can run",
             "3_c.ts: a migration in code, which only the project's own program can run",
             "README.md: node-pg-migrate fails on it unless its ignore pattern leaves it out"}));
  write("x.sql");
  EXPECT_EQ(failure(),
            "DIR/x.sql: error: node-pg-migrate refuses 'DIR/x.sql': no number at the front of its name\n"
            "hint: begin the name with a time or a number");
}

TEST(LocaleOrderTest, punctuation_digits_letters_and_case_last) {
  EXPECT_TRUE(locale_less("a_b", "a1"));
  EXPECT_TRUE(locale_less("a1", "aa"));
  EXPECT_TRUE(locale_less("a", "B"));
  EXPECT_TRUE(locale_less("a", "A"));
  EXPECT_TRUE(locale_less("A", "ab"));
  EXPECT_TRUE(locale_less("10", "9"));
  EXPECT_FALSE(locale_less("a", "a"));
  EXPECT_TRUE(locale_less_by_number("x9", "x10"));
  EXPECT_TRUE(locale_less_by_number("a-b", "ac"));
}

}  // namespace
}  // namespace lockkeeper::history
