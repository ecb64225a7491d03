#include "engine/answer_hash.h"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lockkeeper::engine {
namespace {

using Rows = std::vector<QueryAnswer::Row>;

QueryAnswer answer_of(const Rows& rows) {
  QueryAnswer answer;
  AnswerKeeper keeper(answer);
  for (const QueryAnswer::Row& row : rows) {
    std::vector<const char*> values;
    std::vector<std::size_t> lengths;
    for (const auto& value : row) {
      values.push_back(value ? value->data() : nullptr);
      lengths.push_back(value ? value->size() : 0);
    }
    keeper.add(values, lengths);
  }
  return answer;
}

TEST(AnswerHashTest, order_counts_in_one_hash_and_not_in_the_other) {
  const QueryAnswer one = answer_of({{"a"}, {"b"}});
  const QueryAnswer other = answer_of({{"b"}, {"a"}});
  EXPECT_NE(one.in_order, other.in_order);
  EXPECT_EQ(one.as_a_set, other.as_a_set);
  EXPECT_EQ(one.rows, 2);
  EXPECT_EQ(one.kept, (Rows{{"a"}, {"b"}}));
  EXPECT_TRUE(one.whole);
}

TEST(AnswerHashTest, answers_that_differ_in_anything_have_different_hashes) {
  const std::vector<Rows> different = {
      {},
      {{"ab", "c"}},
      {{"a", "bc"}},
      {{"", "abc"}},
      {{std::nullopt, "abc"}},
      {{"abc"}},
      {{"a", "b", "c"}},
      {{"a"}, {"b"}, {"c"}},
      {{"a"}, {"b"}, {"c"}, {"c"}},
      {{"a"}, {"b"}, {"c"}, {"c"}, {"c"}},
      {{""}},
      {{std::nullopt}},
      {{std::string("\0", 1)}},
  };
  for (std::size_t i = 0; i < different.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      EXPECT_NE(answer_of(different[i]).in_order, answer_of(different[k]).in_order) << i << " and " << k;
      EXPECT_NE(answer_of(different[i]).as_a_set, answer_of(different[k]).as_a_set) << i << " and " << k;
    }
  }
}

TEST(AnswerHashTest, a_long_answer_is_kept_in_part_and_hashed_whole) {
  Rows rows(k_rows_kept, {"a"});
  const QueryAnswer full = answer_of(rows);
  EXPECT_TRUE(full.whole);
  EXPECT_EQ(full.kept.size(), k_rows_kept);
  rows.push_back({"b"});
  const QueryAnswer more = answer_of(rows);
  EXPECT_FALSE(more.whole);
  EXPECT_EQ(more.kept.size(), k_rows_kept);
  EXPECT_EQ(more.rows, static_cast<std::int64_t>(k_rows_kept) + 1);
  EXPECT_NE(more.in_order, full.in_order);
  EXPECT_NE(more.as_a_set, full.as_a_set);
}

TEST(AnswerHashTest, behind_a_row_that_is_too_large_none_is_kept) {
  const QueryAnswer answer = answer_of({{"a"}, {std::string(k_bytes_kept, 'x')}, {"b"}});
  EXPECT_FALSE(answer.whole);
  EXPECT_EQ(answer.kept, (Rows{{"a"}}));
  EXPECT_EQ(answer.rows, 3);
}

}  // namespace
}  // namespace lockkeeper::engine
