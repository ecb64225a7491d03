#include "history/formats/popx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

using PopxTest = HistoryTest;

TEST_F(PopxTest, steps_of_one_date_are_one_migration_of_several_parts) {
  write("20200101000000000000_a.up.sql", "SELECT 1; SELECT 2;");
  write("20200101000000000000_a.down.sql", "SELECT -1;");
  write("20200101000000000001_a.autocommit.up.sql", "SELECT 3;");
  write("20200101000000000001_a.autocommit.down.sql", "SELECT -3;");
  write("20200101000000000001_a.postgres.autocommit.up.sql", "SELECT 33;");
  write("20200101000000000001_a.mysql.up.sql");
  write("20210101000000_b.up.sql");
  write("20210101000000_b.pg.down.sql", "");
  const History history = loaded();
  EXPECT_EQ(history.format, "popx");
  EXPECT_EQ(versions(history), (Texts{"20200101000000", "20210101000000"}));
  const Migration& first = history.migrations[0];
  EXPECT_EQ(statements(first.up()), (Texts{"SELECT 1", "SELECT 2", "SELECT 33"}));
  EXPECT_EQ(shapes(first.up()), (Texts{"one transaction", "autocommit: autocommit in its name"}));
  EXPECT_EQ(statements(first.down()), (Texts{"SELECT -3", "SELECT -1"}));
  EXPECT_EQ(first.further_files, Texts{folder() + "/20200101000000000001_a.postgres.autocommit.up.sql"});
  EXPECT_EQ(first.note_of(record::Side::up),
            "INSERT INTO public.schema_migration (version) VALUES ('20200101000000000000'); INSERT INTO "
            "public.schema_migration (version) VALUES ('20200101000000000001')");
  EXPECT_EQ(history.not_taken, (Texts{"20200101000000000001_a.autocommit.up.sql: "
                                      "'20200101000000000001_a.postgres.autocommit.up.sql' is the one for "
                                      "PostgreSQL",
                                      "20200101000000000001_a.mysql.up.sql: for another dialect, mysql"}));
}

TEST_F(PopxTest, a_single_step_keeps_all_digits_of_its_version) {
  write("../../go.mod", "require github.com/ory/x v0.0.600\n");
  write("20200101000000000007_a.up.sql");
  write("20200101000000000007_a.down.sql");
  EXPECT_EQ(loaded().format, "popx");
  EXPECT_EQ(versions(loaded()), Texts{"20200101000000000007"});
}

TEST_F(PopxTest, what_popx_refuses_is_refused) {
  write("20200101000000_a.autocommit.up.sql");
  write("20200102000000_b.down.sql");
  write("20200102000000_b.up.sql");
  write("20200103000000_c.down.sql");
  write("x.sql");
  EXPECT_EQ(
      failure(),
      "error: migrations 'DIR': 3 faults in their files\n"
      "DIR/20200101000000_a.autocommit.up.sql: popx refuses '20200101000000_a.autocommit.up.sql': it has "
      "no down\n"
      "DIR/20200103000000_c.down.sql: version '20200103000000': a down without its up\n"
      "DIR/x.sql: popx refuses 'x.sql': not named <number>_<name>.up.sql or .down.sql\n"
      "hint: add the down side; it may be empty; add the up side, or remove the file; name it so, or "
      "move it elsewhere");
}

TEST_F(PopxTest, a_template_is_refused_when_it_is_read) {
  write("20200101000000_a.autocommit.up.sql", "SELECT 1;\nSELECT {{ .x }};");
  write("20200101000000_a.down.sql");
  const auto script = loaded().migrations[0].up();
  ASSERT_FALSE(script.has_value());
  EXPECT_EQ(scrubbed(to_string(script.error())),
            "DIR/20200101000000_a.autocommit.up.sql:2:8: error: cannot read "
            "'DIR/20200101000000_a.autocommit.up.sql': a template, which popx fills in\n"
            "hint: write the SQL out for PostgreSQL in a file of its own: <version>_<name>.postgres.up.sql");
}

}  // namespace
}  // namespace lockkeeper::history
