#include "sql/source.h"

#include <filesystem>
#include <fstream>
#include <random>

#include <gtest/gtest.h>

namespace lockkeeper::sql {
namespace {

std::string source_failure_of(std::string text) {
  const auto source = Source::from_text("m.sql", std::move(text));
  EXPECT_FALSE(source.has_value());
  return source ? "" : to_string(source.error());
}

TEST(Source, drops_the_byte_order_mark_and_keeps_columns_right) {
  const Source source = Source::from_text("m.sql", "\xEF\xBB\xBFSELECT 1").value();
  EXPECT_EQ(source.text(), "SELECT 1");
  EXPECT_EQ(to_string(source.locate(0)), "m.sql:1:1");
  EXPECT_EQ(to_string(source.locate(7)), "m.sql:1:8");
}

TEST(Source, counts_cr_lf_as_one_line_end) {
  const Source source = Source::from_text("m.sql", "a\r\n\r\nbc\nd").value();
  EXPECT_EQ(to_string(source.locate(0)), "m.sql:1:1");
  EXPECT_EQ(to_string(source.locate(3)), "m.sql:2:1");
  EXPECT_EQ(to_string(source.locate(6)), "m.sql:3:2");
  EXPECT_EQ(to_string(source.locate(8)), "m.sql:4:1");
  EXPECT_EQ(to_string(source.locate(9)), "m.sql:4:2");
  EXPECT_EQ(to_string(source.locate(1000)), "m.sql:4:2");
}

TEST(Source, begins_at_the_line_it_is_given) {
  EXPECT_EQ(to_string(Source::from_text("s.yaml", "a\nb", 12).value().locate(2)), "s.yaml:13:1");
}

TEST(Source, locates_every_offset_as_a_plain_count_does) {
  std::mt19937 random(11);
  std::string text;
  const char* const pieces[] = {"a", "é", "🦀", "\n", "\r\n", "long line without an end, ", "\t"};
  while (text.size() < 20'000) text += pieces[random() % std::size(pieces)];
  const Source source = Source::from_text("m.sql", text).value();
  int line = 1;
  int column = 1;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool continuation = (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
    if (!continuation) {
      ASSERT_EQ(source.locate(at), (Location{"m.sql", line, column})) << at;
    }
    if (text[at] == '\n') {
      ++line;
      column = 1;
    } else if (!continuation || at + 1 == text.size()) {
      ++column;
    }
  }
}

TEST(Source, refuses_what_is_not_utf8) {
  EXPECT_EQ(source_failure_of("SELECT 1;\n-- caf\xE9\n"),
            "m.sql:2:7: error: cannot read 'm.sql': not UTF-8 at byte 17\n"
            "hint: save the file as UTF-8, for example with: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW");
  EXPECT_EQ(source_failure_of(std::string("\xFF\xFES\0E\0", 6)),
            "m.sql:1:1: error: cannot read 'm.sql': not UTF-8 at byte 1\n"
            "hint: save the file as UTF-8, for example with: iconv -f UTF-16 -t UTF-8 OLD > NEW");
  EXPECT_NE(source_failure_of("\xEF\xBB\xBF"
                              "a\xFF")
                .find("not UTF-8 at byte 5"),
            std::string::npos);
}

TEST(Source, refuses_a_nul_byte) {
  EXPECT_EQ(
      source_failure_of(std::string("a\nb\0c", 5)),
      "m.sql:2:2: error: cannot read 'm.sql': NUL at byte 4\n"
      "hint: SQL text cannot hold NUL: write the file as UTF-8 text, and binary values as '\\x…'::bytea");
}

TEST(Source, reads_a_file_or_says_why_not) {
  const auto path = std::filesystem::temp_directory_path() / "lockkeeper source ü.sql";
  std::ofstream(path) << "SELECT 1";
  EXPECT_EQ(Source::read(path.string()).value().text(), "SELECT 1");
  EXPECT_EQ(Source::read(path.string()).value().path(), path.string());
  std::filesystem::remove(path);
  const auto missing = Source::read("/nowhere/x.sql");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().kind, FailureKind::usage);
  EXPECT_EQ(missing.error().message, "cannot read '/nowhere/x.sql': No such file or directory");
}

TEST(Source, empty_text_is_text) {
  const Source source = Source::from_text("m.sql", "").value();
  EXPECT_EQ(source.text(), "");
  EXPECT_EQ(to_string(source.locate(0)), "m.sql:1:1");
}

}  // namespace
}  // namespace lockkeeper::sql
