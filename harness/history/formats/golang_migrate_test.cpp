#include "history/formats/golang_migrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

class GolangMigrateTest : public HistoryTest {
 protected:
  void SetUp() override {
    HistoryTest::SetUp();
    write("../../go.mod", "module x\nrequire (\n\tgithub.com/golang-migrate/migrate/v4 v4.17.0\n)\n");
  }
};

TEST_F(GolangMigrateTest, a_go_mod_above_tells_the_format) {
  write("2_b.up.sql", "SELECT 1; SELECT 2;");
  write("0010_c.up.sql", "CREATE INDEX CONCURRENTLY i ON t (a);");
  write("2_other.down.sql", "SELECT 3;");
  write("3_d.up.json");
  write("notes.sql");
  write("99999999999999999999_e.up.sql");
  const History history = loaded();
  EXPECT_EQ(history.format, "golang-migrate");
  EXPECT_EQ(history.detected_by, (fs::canonical(m_root) / "go.mod").string() + " requires golang-migrate");
  EXPECT_EQ(versions(history), (Texts{"2", "0010"}));
  EXPECT_EQ(history.not_taken,
            (Texts{"3_d.up.json: golang-migrate takes it, but it is no .sql file",
                   "99999999999999999999_e.up.sql: not named <number>_<name>.up.sql or .down.sql",
                   "notes.sql: not named <number>_<name>.up.sql or .down.sql"}));
  EXPECT_EQ(
      shapes(history.migrations[0].up()),
      Texts{
          "one message: golang-migrate sends it as one message, of which the server makes one transaction"});
  EXPECT_EQ(shapes(history.migrations[1].up()), Texts{"autocommit"});
  EXPECT_EQ(history.migrations[1].note_of(record::Side::down),
            "TRUNCATE public.schema_migrations; INSERT INTO public.schema_migrations VALUES (2, false)");
  EXPECT_EQ(history.migrations[0].note_of(record::Side::down), "TRUNCATE public.schema_migrations");
}

TEST_F(GolangMigrateTest, versions_are_one_by_value) {
  write("1_a.up.sql");
  write("001_a.down.sql");
  write("2_b.up.sql");
  write("02_c.up.sql");
  EXPECT_EQ(failure(),
            "DIR/2_b.up.sql: error: version '2': two migrations have it, '02_c.up.sql' and '2_b.up.sql'\n"
            "hint: give one of them a version of its own");
  fs::remove(m_folder / "02_c.up.sql");
  EXPECT_EQ(loaded().migrations[0].down_path, folder() + "/001_a.down.sql");
}

TEST_F(GolangMigrateTest, a_module_that_another_one_needs_tells_nothing) {
  write("../../go.mod", "module x\nrequire github.com/golang-migrate/migrate/v4 v4.17.0 // indirect\n");
  write("1_a.up.sql");
  EXPECT_EQ(loaded().format, "plain");
}

}  // namespace
}  // namespace lockkeeper::history
