#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// node_modules/.bin/NAME in the project, which is never run.
class KnexTest : public HistoryTest {
 protected:
  void SetUp() override {
    HistoryTest::SetUp();
    write("../knexfile.js", "module.exports = {client: 'pg'};\n");
    write("../node_modules/.bin/knex", "");
  }
  Texts words(const Migration& migration, record::Side side) const {
    const auto tool = migration.command(migration, side);
    if (!tool) return {to_string(tool.error())};
    Texts words = tool->command.argv;
    for (std::string& word : words)
      word = word.substr(word.find("/db/") == std::string::npos ? 0 : word.find("/db/"));
    return words;
  }
};

TEST_F(KnexTest, files_come_in_the_order_of_their_names) {
  write("20240103_c.cjs", "");
  write("20240101_a.js", "");
  write("20240102_b.ts", "");
  write("20240104_d.mjs", "");
  write("README.md", "");
  write("old/20230101_x.js", "");
  const History history = loaded();
  EXPECT_EQ(history.format, "knex");
  EXPECT_THAT(history.detected_by, HasSubstr("/db/knexfile.js"));
  EXPECT_THAT(versions(history), ElementsAre("20240101", "20240102", "20240103"));
  EXPECT_EQ(history.migrations[2].name, "c");
  EXPECT_THAT(history.not_taken,
              ElementsAre("20240104_d.mjs: knex takes .mjs files only where loadExtensions names them",
                          "README.md: not a file that knex loads", "old/: a folder"));
}

TEST_F(KnexTest, each_is_run_alone_on_our_connection_whatever_the_knexfile_says) {
  write("20240101_a.js", "");
  const History history = loaded();
  EXPECT_THAT(
      words(history.migrations[0], record::Side::up),
      ElementsAre("/db/node_modules/.bin/knex", "migrate:up", "20240101_a.js", "--knexfile",
                  "/db/knexfile.js", "--connection", "{url}", "--migrations-directory", "/db/migrations"));
  EXPECT_EQ(words(history.migrations[0], record::Side::down)[1], "migrate:down");
}

TEST_F(KnexTest, the_knexfile_names_tables_and_endings) {
  write("../knexfile.js",
        "module.exports = { migrations: { tableName: \"Done\", schemaName: 'app', loadExtensions: ['.mjs'] } "
        "};\n");
  write("20240104_d.mjs", "");
  const History history = loaded();
  EXPECT_THAT(versions(history), ElementsAre("20240104"));
  EXPECT_THAT(history.bookkeeping->tables, ElementsAre("app.\"Done\"", "app.\"Done_lock\""));
}

TEST_F(KnexTest, names_tell_apart_what_numbers_do_not) {
  write("1_b.js", "");
  write("01_a.js", "");
  EXPECT_THAT(versions(loaded()), ElementsAre("01_a", "1_b"));
  write("1_b.ts", "");
  EXPECT_THAT(versions(loaded()), ElementsAre("01_a.js", "1_b.js", "1_b.ts"));
}

TEST_F(KnexTest, a_folder_of_other_code_is_not_taken_unless_it_is_named) {
  write("helpers.js", "");
  EXPECT_THAT(failure(), HasSubstr("no file fits a layout that is read"));
  EXPECT_THAT(versions(load({folder(), "knex"}).value()), ElementsAre("helpers"));
}

TEST_F(KnexTest, comments_are_read_where_they_stand) {
  write("1_a.js", "// lockkeeper:allow x: y\r\nexports.up = 1; // no\n");
  const auto script = loaded().migrations[0].up();
  ASSERT_TRUE(script);
  EXPECT_EQ(script->parts.at(0).sources.at(0)->text(), "-- lockkeeper:allow x: y\n\n");
}

TEST_F(KnexTest, what_is_not_installed_is_said) {
  if (find_in_path("knex")) GTEST_SKIP() << "knex is in PATH";
  write("1_a.js", "");
  fs::remove_all(m_root / "db" / "node_modules");
  EXPECT_THAT(words(loaded().migrations[0], record::Side::up)[0],
              HasSubstr("error: cannot run 'knex': it is not installed\nhint: run 'npm install' in "));
}

}  // namespace
}  // namespace lockkeeper::history
