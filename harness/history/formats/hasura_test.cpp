#include "history/formats/hasura.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

using HasuraTest = HistoryTest;

TEST_F(HasuraTest, a_project_of_hasura_tells_the_format) {
  write("1620000000001_b/up.sql", "SELECT 1; SELECT 2;");
  write("1620000000001_b/down.sql", "");
  write("1620000000000_a/up.sql");
  write("1620000000000_a/down.sql");
  write("1620000000002_c/up.yaml");
  write("notes/up.sql");
  EXPECT_EQ(load({folder()}).value().format, "plain-folders");
  write("../../config.yaml", "version: 3\nmetadata_directory: metadata\n");
  const History history = loaded();
  EXPECT_EQ(history.format, "hasura");
  EXPECT_EQ(versions(history), (Texts{"1620000000000", "1620000000001"}));
  EXPECT_EQ(history.migrations[1].down_path, std::nullopt);
  EXPECT_EQ(history.not_taken, (Texts{"1620000000001_b/down.sql: empty, and so passed over",
                                      "1620000000002_c/up.yaml: changes metadata, which is no SQL",
                                      "notes/: not named <number>_<name>"}));
  EXPECT_EQ(shapes(history.migrations[1].up()), Texts{"one transaction"});
  EXPECT_EQ(messages(history.migrations[1].up()), (std::vector<std::size_t>{0, 0}));
  EXPECT_EQ(history.bookkeeping, nullptr);
}

}  // namespace
}  // namespace lockkeeper::history
