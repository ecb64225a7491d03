#include "history/settings_file.h"

#include <gtest/gtest.h>

#include "history/files_below.h"
#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

TEST(SettingsFileTest, properties_are_read_as_java_reads_them) {
  const SettingsFile expected = {{"a", "1"}, {"b.c", "two words"}, {"d", ""}, {"e=f", "g h"}, {"i", "j"}};
  EXPECT_EQ(read_properties("# x\r\n! y\na=1\nb.c : two words\r\nd\ne\\=f g\\ h\ni=\\\n   j"), expected);
  EXPECT_EQ(read_properties(""), SettingsFile{});
  EXPECT_EQ(read_properties("\\"), SettingsFile{});
}

TEST(SettingsFileTest, toml_is_flattened) {
  const SettingsFile expected = {{"top", "1"},      {"a.b.c", "x\"y"},    {"a.b.list", "1,2,three"},
                                 {"a.b.in.d", "e"}, {"a.b.q r", "\\raw"}, {"a.b.long", "two\nlines"}};
  EXPECT_EQ(read_toml("top = 1 # x\n[a.b]\nc = \"x\\\"y\"\nlist = [1, # one\n 2, 'three',]\nin = { d = \"e\" "
                      "}\n\"q r\" = "
                      "'\\raw'\nlong = \"\"\"\ntwo\nlines\"\"\"\n"),
            expected);
}

TEST(SettingsFileTest, what_is_no_toml_ends) {
  for (const char* text : {"", "=", "[", "[[", "a", "a=", "a=[", "a=[,", "a={", "a={b", "a={b=", "a=\"",
                           "a='''", "}", "a=}", "a={=}"}) {
    (void)read_toml(text);
  }
}

TEST_F(HistoryTest, files_below_a_folder_are_found_once) {
  write("b/c.sql");
  write("a.sql");
  write(".x/y.sql");
  fs::create_directory_symlink(m_folder, m_folder / "b" / "loop");
  const auto below = files_below(folder());
  ASSERT_TRUE(below.has_value());
  ASSERT_EQ(below->files.size(), 2U);
  EXPECT_EQ(below->files[0].path, "a.sql");
  EXPECT_EQ(below->files[1].path, "b/c.sql");
  EXPECT_EQ(below->skipped, (Texts{".x/: hidden", "b/loop/: a link leads back to it"}));
}

}  // namespace
}  // namespace lockkeeper::history
