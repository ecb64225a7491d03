#include "history/outside_tool.h"

#include <gtest/gtest.h>

#include "history/history_test.h"

namespace lockkeeper::history {
namespace {

class OutsideToolTest : public HistoryTest {
 protected:
  std::string comments(const std::string& text, std::string_view mark) const {
    write("x.py", text);
    Migration migration;
    migration.up_path = folder() + "/x.py";
    const auto script = comments_in_code(migration, mark);
    return script ? std::string(script->parts.at(0).sources.at(0)->text()) : to_string(script.error());
  }
};

TEST_F(OutsideToolTest, keeps_comments_in_their_lines) {
  EXPECT_EQ(comments("# one\nx = 1  # not whole\n  # lockkeeper: allow up-fails: x\n", "#"),
            "-- one\n\n-- lockkeeper: allow up-fails: x\n");
}

TEST_F(OutsideToolTest, takes_a_byte_order_mark_for_no_part_of_the_first_comment) {
  EXPECT_EQ(comments("\xEF\xBB\xBF// one\r\nx();\r\n", "//"), "-- one\n\n");
}

}  // namespace
}  // namespace lockkeeper::history
