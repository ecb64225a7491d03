#include "history/formats/morph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

using MorphTest = HistoryTest;

TEST_F(MorphTest, files_are_ordered_as_text_and_sent_whole) {
  write("9_a.up.sql", "-- morph:nontransactional\nCREATE INDEX CONCURRENTLY i ON t (a);");
  write("9_a.down.sql", "SELECT 1; SELECT 2;");
  write("10_b.up.sql");
  write("10_c.down.sql");
  write("old/1_x.up.sql");
  const History history = loaded();
  EXPECT_EQ(history.format, "morph");
  EXPECT_EQ(history.detected_by, "'-- morph:nontransactional' in 9_a.up.sql");
  EXPECT_EQ(versions(history), (Texts{"10", "9"}));
  EXPECT_EQ(history.not_taken, (Texts{"10_c.down.sql: its up is named 'b', and morph pairs by name",
                                      "old/: a folder, of which morph would take the files too"}));
  EXPECT_EQ(shapes(history.migrations[1].up()), Texts{"autocommit: -- morph:nontransactional at 1:1"});
  EXPECT_EQ(shapes(history.migrations[1].down()), Texts{"one transaction"});
  EXPECT_EQ(messages(history.migrations[1].down()), (std::vector<std::size_t>{0, 0}));
  EXPECT_EQ(history.migrations[1].note_of(record::Side::down),
            "DELETE FROM public.db_migrations WHERE version = 9 AND name = 'a'");
}

TEST_F(MorphTest, files_of_other_names_are_refused) {
  write("../../go.mod", "require github.com/mattermost/morph v1.1.0\n");
  write("1_a.up.sql");
  write("README.md");
  EXPECT_EQ(loaded().not_taken,
            Texts{"README.md: no .sql file: morph refuses it, unless the program embeds *.sql only"});
  write("all.sql");
  EXPECT_EQ(failure(),
            "DIR/all.sql: error: morph refuses 'all.sql': not named <number>_<name>.up.sql or .down.sql\n"
            "hint: name it so, or move it elsewhere");
}

}  // namespace
}  // namespace lockkeeper::history
