#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SequelizeTest : public HistoryTest {};

TEST_F(SequelizeTest, a_run_control_file_or_a_package_tells_it) {
  write("20240101-a.js", "");
  write("20240102-b.cts", "");
  write("types.d.ts", "");
  EXPECT_THAT(failure(), HasSubstr("no file fits a layout that is read"));
  write("../package.json", "{\"devDependencies\": {\"sequelize-cli\": \"^6\"}}");
  const History history = loaded();
  EXPECT_EQ(history.format, "sequelize");
  EXPECT_THAT(versions(history), ElementsAre("20240101", "20240102"));
  EXPECT_THAT(history.not_taken, ElementsAre("types.d.ts: not a file that sequelize-cli loads"));
  EXPECT_THAT(history.steps_between(0, 2), ElementsAre(1));
  write("../.sequelizerc", "");
  EXPECT_THAT(loaded().detected_by, HasSubstr("/db/.sequelizerc"));
}

TEST_F(SequelizeTest, up_runs_to_a_name_and_down_undoes_it) {
  write("../.sequelizerc", "");
  write("../node_modules/.bin/sequelize-cli", "");
  write("20240101-a.js", "");
  const Migration migration = loaded().migrations.at(0);
  EXPECT_EQ(migration.command(migration, record::Side::up)->shown,
            "sequelize-cli db:migrate --to 20240101-a.js");
  EXPECT_EQ(migration.command(migration, record::Side::down)->shown,
            "sequelize-cli db:migrate:undo --name 20240101-a.js");
}

TEST_F(SequelizeTest, two_tools_in_one_project_have_to_be_told_apart) {
  write("../.sequelizerc", "");
  write("../knexfile.js", "");
  write("20240101-a.js", "");
  EXPECT_THAT(failure(), HasSubstr("both 'knex' ("));
  EXPECT_THAT(versions(load({folder(), "sequelize"}).value()), ElementsAre("20240101"));
}

}  // namespace
}  // namespace lockkeeper::history
