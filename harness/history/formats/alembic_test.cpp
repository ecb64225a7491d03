#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AlembicTest : public HistoryTest {
 protected:
  void SetUp() override {
    HistoryTest::SetUp();
    write("alembic.ini", "[loggers]\nscript_location = no\n[alembic]\nscript_location = %(here)s/alembic\n");
    write("alembic/env.py", "from alembic import context\n");
  }
  void revision(const std::string& id, const std::string& parent, const std::string& more = "") const {
    write("alembic/versions/" + id + "_x.py",
          "\"\"\"about " + id + "\"\"\"\nrevision = '" + id + "'\ndown_revision = " + parent + "\n" + more);
  }
  static Texts shown(const History& history, record::Side side) {
    Texts texts;
    for (const Migration& migration : history.migrations) {
      const auto tool = migration.command(migration, side);
      texts.push_back(tool ? tool->shown : tool.error().message);
    }
    return texts;
  }
};

TEST_F(AlembicTest, parents_come_before_what_follows_them) {
  revision("a", "'z'");
  revision("z", "None");
  revision("m", "('a', 'b')");
  revision("b", "'z'", "depends_on = 'c'\n");
  revision("c", "'z'", "branch_labels = ('side',)\n");
  const History history = loaded();
  EXPECT_EQ(history.format, "alembic");
  EXPECT_THAT(versions(history), ElementsAre("z", "a", "c", "b", "m"));
  EXPECT_EQ(history.migrations[0].name, "about z");
  EXPECT_TRUE(history.all_in_one);
}

TEST_F(AlembicTest, the_folder_of_scripts_and_that_of_versions_lead_to_the_same) {
  revision("a", "None");
  EXPECT_THAT(versions(load({folder() + "/alembic"}).value()), ElementsAre("a"));
  EXPECT_THAT(versions(load({folder() + "/alembic/versions"}).value()), ElementsAre("a"));
  write("other/1_a.up.sql");
  EXPECT_EQ(load({folder() + "/other"}).value().format, "plain");
}

TEST_F(AlembicTest, each_revision_is_asked_for_alone) {
  if (!find_in_path("alembic")) GTEST_SKIP() << "alembic is not installed";
  revision("a", "None");
  revision("b", "'a'");
  const History history = loaded();
  EXPECT_THAT(shown(history, record::Side::up), ElementsAre("alembic upgrade a", "alembic upgrade b"));
  EXPECT_THAT(shown(history, record::Side::down),
              ElementsAre("alembic downgrade a@base", "alembic downgrade b@a"));
}

TEST_F(AlembicTest, before_a_trial_only_the_last_of_each_branch_is_asked_for) {
  revision("a", "None");
  revision("b", "'a'");
  revision("c", "'a'");
  revision("d", "'b'");
  const History history = loaded();
  ASSERT_THAT(versions(history), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(history.steps_between(0, 4), ElementsAre(2, 3));
  EXPECT_THAT(history.steps_between(0, 2), ElementsAre(1));
  EXPECT_THAT(history.steps_between(2, 2), IsEmpty());
}

TEST_F(AlembicTest, a_git_ref_has_the_project_around_its_versions_too) {
  revision("a", "None");
  revision("b", "'a'");
  commit("main");
  revision("a2", "'a'");
  revision("m", "('b', 'a2')");
  scenario::Selection selection;
  selection.since_ref = "main";
  History history = load({folder() + "/alembic/versions"}).value();
  const auto trial = select(history, selection);
  ASSERT_TRUE(trial.has_value()) << to_string(trial.error());
  EXPECT_THAT(versions(history), ElementsAre("a", "b", "a2", "m"));
  EXPECT_THAT(trial->judged, ElementsAre(2, 3));
  EXPECT_THAT(trial->facts, IsEmpty());
}

TEST_F(AlembicTest, several_heads_are_a_fact) {
  revision("a", "None");
  revision("b", "'a'");
  revision("c", "'a'");
  const History history = loaded();
  ASSERT_EQ(history.facts.size(), 1U);
  EXPECT_EQ(history.facts[0].kind, record::HistoryFactKind::several_heads);
  EXPECT_EQ(history.facts[0].detail, "the history has 2 heads: b, c");
  EXPECT_EQ(scrubbed(to_string(history.facts[0].location)), "DIR/alembic/versions/c_x.py:2:1");
}

TEST_F(AlembicTest, a_parent_that_is_not_there_is_a_fact_and_no_run_is_possible) {
  revision("a", "None");
  revision("b", "'nowhere'");
  const auto history = look({folder()});
  ASSERT_TRUE(history.has_value());
  ASSERT_TRUE(history->refused.has_value());
  EXPECT_EQ(history->facts.at(0).kind, record::HistoryFactKind::parent_missing);
  EXPECT_EQ(failure(),
            "DIR/alembic/versions/b_x.py:2:1: error: revision 'b' follows 'nowhere', which is not there\n"
            "hint: bring the missing revision back, or correct down_revision");
}

TEST_F(AlembicTest, the_beginning_of_an_identifier_is_enough) {
  revision("1234567890ab", "None");
  revision("b", "'12345678'");
  EXPECT_THAT(versions(loaded()), ElementsAre("1234567890ab", "b"));
}

TEST_F(AlembicTest, what_cannot_be_ordered_is_refused) {
  revision("a", "'b'");
  revision("b", "'a'");
  EXPECT_THAT(failure(), HasSubstr("revision 'a' comes before itself: its parents go in a circle"));
  revision("b", "None");
  write("alembic/versions/c.py", "revision = 'c'\ndown_revision = parent()\n");
  EXPECT_THAT(failure(), HasSubstr("'down_revision' is neither a text nor a list of texts"));
  write("alembic/versions/c.py", "revision = 'c\n");
  EXPECT_THAT(failure(), HasSubstr("c.py:1:1: error: cannot read"));
}

TEST_F(AlembicTest, two_files_of_one_revision_are_refused) {
  revision("a", "None");
  write("alembic/versions/copy.py", "revision = 'a'\ndown_revision = None\n");
  EXPECT_THAT(failure(), HasSubstr("version 'a': two migrations have it, 'a_x.py' and 'copy.py'"));
}

TEST_F(AlembicTest, files_that_are_no_revision_are_said) {
  revision("a", "None");
  write("alembic/versions/__init__.py");
  write("alembic/versions/helpers.py", "x = 1\n");
  write("alembic/versions/notes.md");
  write("alembic/versions/__pycache__/a.pyc");
  EXPECT_THAT(loaded().not_taken, ElementsAre("alembic/versions/helpers.py: no revision = '…' in it",
                                              "notes.md: not a .py file"));
}

}  // namespace
}  // namespace lockkeeper::history
