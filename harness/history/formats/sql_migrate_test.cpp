#include "history/formats/sql_migrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

class SqlMigrateTest : public HistoryTest {
 protected:
  std::string said(const std::string& text) const {
    write("1_a.sql", text);
    std::string whole = failure("sql-migrate");
    return whole.substr(0, whole.find("\nhint: "));
  }
};

TEST_F(SqlMigrateTest, several_blocks_of_a_side_are_joined) {
  write("2_b.sql",
        "dropped;\n-- +migrate Up\n-- note;\nSELECT 1;\n-- +migrate Down notransaction\nVACUUM;\n"
        "-- +migrate Up\n-- +migrate StatementBegin\nDO $$ BEGIN\nPERFORM 1;\nEND $$;\n-- +migrate "
        "StatementEnd\nSELECT 2; SELECT 3;\n");
  const History history = loaded();
  EXPECT_EQ(history.format, "sql-migrate");
  const Migration& migration = history.migrations.at(0);
  EXPECT_EQ(statements(migration.up()),
            (Texts{"SELECT 1", "DO $$ BEGIN\nPERFORM 1;\nEND $$", "SELECT 2", "SELECT 3"}));
  EXPECT_EQ(messages(migration.up()), (std::vector<std::size_t>{0, 1, 2, 2}));
  EXPECT_EQ(shapes(migration.up()), Texts{"one transaction"});
  EXPECT_EQ(shapes(migration.down()), Texts{"autocommit: notransaction at 5:1"});
  EXPECT_EQ(migration.up_line, 2);
  EXPECT_EQ(migration.down_line, 5);
  EXPECT_EQ(migration.note_of(record::Side::down), "DELETE FROM public.gorp_migrations WHERE id = '2_b.sql'");
}

TEST_F(SqlMigrateTest, numbers_go_first_and_by_value) {
  for (const char* name : {"x", "10_a", "9_b", "2_c", "2_d"})
    write(std::string(name) + ".sql", "-- +migrate Up\r\n");
  write("notes.md");
  const History history = loaded();
  EXPECT_EQ(versions(history), (Texts{"2_c", "2_d", "9", "10", "x"}));
  EXPECT_EQ(history.not_taken, Texts{"notes.md: not a .sql file"});
}

TEST_F(SqlMigrateTest, what_it_refuses_is_refused_with_its_line) {
  const std::string refused = ": error: sql-migrate refuses 'DIR/1_a.sql': ";
  EXPECT_EQ(said("SELECT 1;"), "DIR/1_a.sql:1:1" + refused + "it has no '-- +migrate Up'");
  EXPECT_EQ(said("-- +migrate Up\nSELECT 1\n"),
            "DIR/1_a.sql:2:1" + refused + "the last statement has no semicolon at the end of its line");
  EXPECT_EQ(said("-- +migrate Up\nSELECT 1\n-- +migrate Down\n"),
            "DIR/1_a.sql:2:1" + refused + "the statement has no semicolon at the end of its line");
  EXPECT_EQ(said("-- +migrate \n"), "DIR/1_a.sql:1:1" + refused + "'-- +migrate' without a word");
  EXPECT_EQ(said("-- +migrate Up\n-- +migrate StatementBegin\nSELECT 1;\n"),
            "DIR/1_a.sql:2:1" + refused + "StatementEnd is missing");
}

}  // namespace
}  // namespace lockkeeper::history
