#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The app "db" of a project; its interpreter is never run.
class DjangoTest : public HistoryTest {
 protected:
  void SetUp() override {
    HistoryTest::SetUp();
    write("../../manage.py", "");
    write("../../.venv/bin/python", "");
    write("__init__.py", "");
  }
  void migration(const std::string& name, const std::string& dependencies,
                 const std::string& more = "") const {
    write(name + ".py",
          "from django.db import migrations\n\nclass Migration(migrations.Migration):\n    \"\"\"x\"\"\"\n"
          "    dependencies = [" +
              dependencies + "]\n" + more + "    operations = []\n");
  }
  static Texts shown(const History& history, record::Side side) {
    Texts texts;
    for (const Migration& one : history.migrations) texts.push_back(one.command(one, side).value().shown);
    return texts;
  }
};

TEST_F(DjangoTest, what_is_depended_on_comes_first_and_names_decide_the_rest) {
  migration("0001_initial", "");
  migration("0003_c", "('db', '0001_initial')");
  migration("0002_b", "\n        (\"db\", \"0003_c\"),\n    ");
  const History history = loaded();
  EXPECT_EQ(history.format, "django");
  EXPECT_THAT(versions(history), ElementsAre("0001_initial", "0003_c", "0002_b"));
  EXPECT_THAT(shown(history, record::Side::up),
              ElementsAre("manage.py migrate --noinput db 0001_initial",
                          "manage.py migrate --noinput db 0003_c", "manage.py migrate --noinput db 0002_b"));
  EXPECT_THAT(shown(history, record::Side::down), ElementsAre("manage.py migrate --noinput db zero",
                                                              "manage.py migrate --noinput db 0001_initial",
                                                              "manage.py migrate --noinput db 0003_c"));
  EXPECT_FALSE(history.preparation.has_value());
}

TEST_F(DjangoTest, branches_that_are_merged_go_back_one_by_one) {
  migration("0001_a", "");
  migration("0002_b", "('db', '0001_a')");
  migration("0002_c", "('db', '0001_a')");
  migration("0003_merge", "('db', '0002_b'), ('db', '0002_c')");
  EXPECT_THAT(shown(loaded(), record::Side::down),
              ElementsAre("manage.py migrate --noinput db zero", "manage.py shell: db.0002_b back alone",
                          "manage.py shell: db.0002_c back alone", "manage.py migrate --noinput db 0002_b"));
}

TEST_F(DjangoTest, several_leaves_are_refused_as_django_does) {
  migration("0001_a", "");
  migration("0002_b", "('db', '0001_a')");
  migration("0002_c", "('db', '0001_a')");
  EXPECT_EQ(failure(),
            "DIR/0002_c.py:5:1: error: the app has 2 leaves: 0002_b, 0002_c\n"
            "hint: run: manage.py makemigrations --merge");
  EXPECT_EQ(look({folder()}).value().facts.at(0).kind, record::HistoryFactKind::several_heads);
}

TEST_F(DjangoTest, a_dependency_that_is_not_there_is_a_fact) {
  migration("0002_b", "('db', '0001_a')");
  EXPECT_EQ(failure(),
            "DIR/0002_b.py:5:1: error: migration '0002_b' depends on '0001_a', which is not there\n"
            "hint: bring the missing migration back, or correct dependencies");
  EXPECT_EQ(look({folder()}).value().facts.at(0).kind, record::HistoryFactKind::parent_missing);
}

TEST_F(DjangoTest, what_other_apps_must_have_is_brought_in_before) {
  migration("0001_a", "migrations.swappable_dependency(settings.AUTH_USER_MODEL)");
  EXPECT_TRUE(loaded().preparation.has_value());
  migration("0001_a", "('auth', '0001_initial')");
  ASSERT_TRUE(loaded().preparation.has_value());
  EXPECT_EQ(loaded().preparation->command().value().shown, "bringing in what 'db' needs of other apps");
}

TEST_F(DjangoTest, the_label_is_that_of_the_configuration) {
  write("../apps.py", "class Shop(AppConfig):\n    name = 'x.db'\n    label = 'shop'\n");
  migration("0001_a", "");
  migration("0002_b", "('shop', '0001_a')");
  EXPECT_THAT(shown(loaded(), record::Side::up)[1], "manage.py migrate --noinput shop 0002_b");
}

TEST_F(DjangoTest, one_that_replaces_is_like_any_other_once_the_replaced_are_gone) {
  migration("0001_a", "");
  migration("0001_squashed", "", "    replaces = [('db', '0001_a'), ('db', '0002_b')]\n");
  EXPECT_EQ(
      failure(),
      "DIR/0001_squashed.py: error: migration '0001_squashed': it replaces '0001_a', which is there too: "
      "which "
      "of them Django takes depends on the database\n"
      "hint: rehearse them apart: a copy of the app without the ones that are replaced, or without this one");
  fs::remove(m_folder / "0001_a.py");
  EXPECT_THAT(versions(loaded()), ElementsAre("0001_squashed"));
}

TEST_F(DjangoTest, what_django_would_refuse_is_refused) {
  migration("0001_a", "");
  write("helpers.py", "x = 1\n");
  EXPECT_THAT(failure(), HasSubstr("Django refuses 'DIR/helpers.py': no class Migration in it"));
  fs::rename(m_folder / "helpers.py", m_folder / "_helpers.py");
  write("notes.txt");
  EXPECT_THAT(loaded().not_taken, ElementsAre("_helpers.py: Django passes over names that begin so",
                                              "notes.txt: not a .py file"));
  fs::remove(m_folder / "__init__.py");
  EXPECT_THAT(failure(), HasSubstr("no __init__.py in it: Django takes the app to have no migrations"));
}

TEST_F(DjangoTest, what_only_python_knows_is_refused) {
  migration("0001_a", "");
  migration("0002_b", "previous()");
  EXPECT_THAT(failure(), HasSubstr("0002_b.py:5:1: error: 'dependencies' is more than a list of pairs"));
  migration("0002_b", "('db', '0002_b')");
  EXPECT_THAT(failure(), HasSubstr("migration '0002_b' comes before itself"));
}

}  // namespace
}  // namespace lockkeeper::history
