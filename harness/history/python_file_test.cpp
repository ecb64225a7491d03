#include "history/python_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockkeeper::history {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

PythonFile read(std::string_view text) {
  const auto file = read_python("x.py", text);
  EXPECT_TRUE(file.has_value()) << to_string(file.error());
  return file.value_or(PythonFile{});
}

std::string refusal(std::string_view text) {
  const auto file = read_python("x.py", text);
  return file ? "" : to_string(file.error());
}

TEST(PythonFile, reads_what_alembic_writes) {
  const PythonFile file = read(
      "\"\"\"add roles\n\nRevision ID: 1f\n\"\"\"\n"
      "from alembic import op\nimport sqlalchemy as sa\n\n"
      "# revision identifiers\nrevision: str = '1f'\n"
      "down_revision: Union[str, None] = \"0e\"\n"
      "branch_labels: Union[str, Sequence[str], None] = None\ndepends_on = None\n\n"
      "def upgrade() -> None:\n    revision = 'no'\n    op.execute(\"\"\"\ndown_revision = 'no'\n\"\"\")\n");
  EXPECT_EQ(file.summary, "add roles");
  EXPECT_THAT(file.values.at("revision").texts, ElementsAre("1f"));
  EXPECT_EQ(file.values.at("revision").line, 9);
  EXPECT_THAT(file.values.at("down_revision").texts, ElementsAre("0e"));
  EXPECT_THAT(file.values.at("depends_on").texts, IsEmpty());
  EXPECT_TRUE(file.values.at("branch_labels").is_plain);
}

TEST(PythonFile, reads_tuples_and_lists_over_several_lines) {
  const PythonFile file = read("down_revision = (\n  'a',  # the first\n  r\"b\",\n)\nlabels = ['x', 'y']\n");
  EXPECT_THAT(file.values.at("down_revision").texts, ElementsAre("a", "b"));
  EXPECT_THAT(file.values.at("labels").texts, ElementsAre("x", "y"));
}

TEST(PythonFile, knows_what_it_cannot_know) {
  EXPECT_FALSE(read("down_revision = previous.revision\n").values.at("down_revision").is_plain);
  EXPECT_FALSE(read("revision = 'a' + suffix\n").values.at("revision").is_plain);
  EXPECT_THAT(read("if x == 'y':\n  pass\na.b = 'c'\n").values, IsEmpty());
}

TEST(PythonFile, reads_the_bodies_of_classes_but_not_deeper) {
  const PythonFile file = read(
      "class Migration(migrations.Migration):\n    \"\"\"x\"\"\"\n    dependencies = [\n        ('a', '1'),\n"
      "        call('b', 'c'), (\"d\", name),\n    ]\n    def f(self):\n        label = 'no'\n\n"
      "    label = 'yes'\nlabel = 'top'\n    label = 'lost'\n");
  const auto& values = file.classes.at("Migration");
  EXPECT_THAT(values.at("dependencies").tuples, ElementsAre(ElementsAre("a", "1"), ElementsAre("d")));
  EXPECT_THAT(values.at("dependencies").names, ElementsAre("call", "name"));
  EXPECT_EQ(values.at("dependencies").line, 3);
  EXPECT_THAT(values.at("label").texts, ElementsAre("yes"));
  EXPECT_THAT(file.values.at("label").texts, ElementsAre("top"));
}

TEST(PythonFile, takes_line_ends_and_marks_as_they_come) {
  const PythonFile file = read("\xEF\xBB\xBFrevision = 'a'\r\ndown_revision = \\\r\n  'b'\r\n");
  EXPECT_THAT(file.values.at("revision").texts, ElementsAre("a"));
  EXPECT_THAT(file.values.at("down_revision").texts, ElementsAre("b"));
  EXPECT_THAT(read("").values, IsEmpty());
}

TEST(PythonFile, refuses_what_is_never_closed) {
  EXPECT_EQ(refusal("a = 1\nrevision = 'a\ndown_revision = None\n"),
            "x.py:2:1: error: cannot read 'x.py': a string is never closed\n"
            "hint: python3 -m py_compile FILE says what Python makes of it");
  EXPECT_THAT(refusal("x = '''\n\n"), ::testing::StartsWith("x.py:1:1: error: cannot read 'x.py': a string"));
  EXPECT_THAT(refusal("\nx = (1,\ndef f(): pass\n"),
              ::testing::StartsWith("x.py:2:1: error: cannot read 'x.py': a bracket is never closed"));
}

}  // namespace
}  // namespace lockkeeper::history
