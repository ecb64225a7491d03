#include "report/escape.h"

#include <gtest/gtest.h>

namespace lockkeeper::report {

namespace {

TEST(Escape, control_characters_become_their_pictures) {
  EXPECT_EQ(readable("a\x1b[31m\x07\x7f"
                     "b\tc\nd"),
            "a␛[31m␇␡b c d");
  EXPECT_EQ(readable(std::string_view("\0x", 2)), "␀x");
}

TEST(Escape, what_hides_or_reorders_text_is_replaced) {
  EXPECT_EQ(readable("a\u202Eb\u2066c\u200Bd\u009Be\uFEFFf"), "a\uFFFDb\uFFFDc\uFFFDd\uFFFDe\uFFFDf");
  EXPECT_EQ(readable("x\U000E0041y"), "x\uFFFDy");
}

TEST(Escape, bytes_that_are_not_utf8_are_replaced_and_letters_of_any_script_kept) {
  EXPECT_EQ(readable("\xFFgr\xC3\xBC\xC3"), "\uFFFDgrü\uFFFD");
  EXPECT_EQ(readable("приём 日本 😀"), "приём 日本 😀");
}

TEST(Escape, lines_are_split_and_a_final_line_break_makes_none) {
  EXPECT_EQ(readable_lines("a\r\nb\n\n"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(readable_lines(""), (std::vector<std::string>{""}));
}

TEST(Escape, markdown_shows_markup_as_it_is_written) {
  EXPECT_EQ(markdown_text("*a* _b_ [c](d) `e` |f| <g> & \\h ~i~"),
            "\\*a\\* \\_b\\_ \\[c\\]\\(d\\) \\`e\\` \\|f\\| &lt;g&gt; &amp; \\\\h \\~i\\~");
}

TEST(Escape, markdown_mentions_nobody_and_links_nowhere) {
  EXPECT_EQ(markdown_text("@org/team #12 https://x.y www.x.y a@b.c"),
            "@<!-- -->org/team #<!-- -->12 https:<!-- -->//x.y w<!-- -->ww.x.y a@<!-- -->b.c");
}

TEST(Escape, markdown_begins_no_list_and_no_heading) {
  EXPECT_EQ(markdown_text("- a"), "\\- a");
  EXPECT_EQ(markdown_text("=== "), "\\=== ");
  EXPECT_EQ(markdown_text("1. a"), "1\\. a");
}

TEST(Escape, a_fence_is_longer_than_any_within) {
  EXPECT_EQ(markdown_block({"x", "````"}, "sql"), "`````sql\nx\n````\n`````\n");
  EXPECT_EQ(markdown_block({"x"}, "sh"), "```sh\nx\n```\n");
}

TEST(Escape, xml_holds_only_what_xml_allows) {
  EXPECT_EQ(xml_text("<a b=\"c\" d='e'>&]]>\x01\uFFFE"),
            "&lt;a b=&quot;c&quot; d=&apos;e&apos;&gt;&amp;]]&gt;␁\uFFFD");
}

}  // namespace

}  // namespace lockkeeper::report
