#include "history/formats/maragudk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

using MaragudkTest = HistoryTest;

TEST_F(MaragudkTest, the_version_is_the_whole_name) {
  write("../../go.mod", "require maragu.dev/migrate v0.6.0\n");
  write("1-users.up.sql", "SELECT 1; SELECT 2;");
  write("1-users.down.sql");
  write("2-or.ders.up.sql");
  write("10-x_y.up.sql");
  write("old/1-x.up.sql");
  const History history = loaded();
  EXPECT_EQ(history.format, "maragudk-migrate");
  EXPECT_EQ(versions(history), (Texts{"1-users", "10-x_y"}));
  EXPECT_EQ(history.not_taken,
            (Texts{"2-or.ders.up.sql: not named <version>-<name>.up.sql or .down.sql", "old/: a folder"}));
  EXPECT_EQ(shapes(history.migrations[0].up()), Texts{"one transaction"});
  EXPECT_EQ(messages(history.migrations[0].up()), (std::vector<std::size_t>{0, 0}));
  EXPECT_EQ(history.migrations[1].note_of(record::Side::up),
            "UPDATE public.migrations SET version = '10-x_y'");
  EXPECT_EQ(history.migrations[1].note_of(record::Side::down),
            "UPDATE public.migrations SET version = '1-users'");
  EXPECT_EQ(history.migrations[0].note_of(record::Side::down), "UPDATE public.migrations SET version = ''");
}

TEST_F(MaragudkTest, without_the_module_it_is_a_plain_history) {
  write("1-users.up.sql");
  EXPECT_EQ(loaded().format, "plain");
}

}  // namespace
}  // namespace lockkeeper::history
