#include "rehearsal/answers.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/answer_hash.h"

namespace lockkeeper::rehearsal {
namespace {

using engine::QueryAnswer;
using Kind = AnswerDifference::Kind;
using Rows = std::vector<QueryAnswer::Row>;
using Columns = std::vector<QueryAnswer::Column>;

constexpr bool k_ordered = true;
constexpr bool k_unordered = false;
const Columns k_id_name = {{"id", false}, {"name", false}};
const Columns k_total = {{"total", true}};
const Columns k_name_total = {{"name", false}, {"total", true}};

/// An answer as a session keeps and hashes it.
QueryAnswer answer(const Columns& columns, const Rows& rows) {
  QueryAnswer made;
  made.columns = columns;
  engine::AnswerKeeper keeper(made);
  for (const auto& row : rows) {
    std::vector<const char*> values;
    std::vector<std::size_t> lengths;
    for (const auto& value : row) {
      values.push_back(value ? value->c_str() : nullptr);
      lengths.push_back(value ? value->size() : 0);
    }
    keeper.add(values, lengths);
  }
  return made;
}

/// The same with only the first rows kept, as of a long one.
QueryAnswer shortened(QueryAnswer answer, std::size_t kept) {
  answer.kept.resize(kept);
  answer.whole = false;
  return answer;
}

void expect(const AnswerDifference& difference, Kind kind, const std::string& first) {
  EXPECT_EQ(static_cast<int>(difference.kind), static_cast<int>(kind));
  EXPECT_EQ(difference.first, first);
}

/// What one value on each side, of a floating-point column, comes to.
AnswerDifference compare_totals(const std::string& base, const std::string& head) {
  return compare_answers(answer(k_total, {{base}}), answer(k_total, {{head}}), k_unordered);
}

TEST(Answers, equal_ones_do_not_differ) {
  const auto one = answer(k_id_name, {{"1", "a"}, {"2", std::nullopt}});
  expect(compare_answers(one, one, k_ordered), Kind::none, "");
  expect(compare_answers(one, one, k_unordered), Kind::none, "");
  expect(compare_answers(answer(k_id_name, {}), answer(k_id_name, {}), k_ordered), Kind::none, "");
}

TEST(Answers, another_order_counts_where_the_query_orders) {
  const auto base = answer(k_id_name, {{"1", "a"}, {"2", "b"}, {"3", "c"}, {"4", "d"}});
  const auto head = answer(k_id_name, {{"1", "a"}, {"2", "b"}, {"4", "d"}, {"3", "c"}});
  expect(compare_answers(base, head, k_unordered), Kind::none, "");
  expect(compare_answers(base, head, k_ordered), Kind::order, "row 3: (3, c) on base, (4, d) on head");
}

TEST(Answers, other_rows_are_told_by_place_where_ordered_and_by_side_where_not) {
  const auto base = answer(k_id_name, {{"1", "a"}, {"2", "b"}, {"3", "c"}});
  const auto head = answer(k_id_name, {{"1", "a"}, {"2", "b"}, {"3", std::nullopt}});
  expect(compare_answers(base, head, k_ordered), Kind::rows, "row 3: (3, c) on base, (3, NULL) on head");
  expect(compare_answers(base, head, k_unordered), Kind::rows, "(3, NULL) on head alone");
  expect(compare_answers(head, base, k_unordered), Kind::rows, "(3, NULL) on base alone");
}

TEST(Answers, a_row_more_or_less_is_told_by_side) {
  const auto two = answer(k_id_name, {{"1", "a"}, {"2", "b"}});
  const auto three = answer(k_id_name, {{"1", "a"}, {"2", "b"}, {"2", "b"}});
  for (const bool ordered : {k_ordered, k_unordered}) {
    expect(compare_answers(three, two, ordered), Kind::rows, "(2, b) on base alone");
    expect(compare_answers(two, three, ordered), Kind::rows, "(2, b) on head alone");
  }
}

TEST(Answers, no_rows_against_some_differ_whether_their_columns_are_known_or_not) {
  const auto some = answer(k_id_name, {{"2", "b"}, {"1", "a"}});
  for (const Columns& columns : {k_id_name, Columns{}}) {
    const auto none = answer(columns, {});
    for (const bool ordered : {k_ordered, k_unordered}) {
      expect(compare_answers(some, none, ordered), Kind::rows, "(1, a) on base alone");
      expect(compare_answers(none, some, ordered), Kind::rows, "(1, a) on head alone");
    }
  }
}

TEST(Answers, other_columns_are_another_answer_also_of_no_rows) {
  const Columns renamed = {{"id", false}, {"title", false}};
  const std::string first = "columns id, name on base, id, title on head";
  expect(compare_answers(answer(k_id_name, {{"1", "a"}}), answer(renamed, {{"1", "a"}}), k_unordered),
         Kind::rows, first);
  expect(compare_answers(answer(k_id_name, {}), answer(renamed, {}), k_unordered), Kind::rows, first);
  expect(compare_answers(answer({{"id", false}}, {{"1"}}), answer(k_id_name, {{"1", "a"}}), k_ordered),
         Kind::rows, "columns id on base, id, name on head");
}

TEST(Answers, sums_may_differ_by_a_trillionth) {
  expect(compare_totals("0.1", "0.10000000000000001"), Kind::none, "");
  expect(compare_totals("1000000000", "1000000000.0009"), Kind::none, "");
  expect(compare_totals("1e300", "1.0000000000001e300"), Kind::none, "");
  expect(compare_totals("-0", "0"), Kind::none, "");
  expect(compare_totals("1000000000", "1000000000.1"), Kind::rows,
         "row 1: (1000000000) on base, (1000000000.1) on head");
  expect(compare_totals("1e-20", "2e-20"), Kind::rows, "row 1: (1e-20) on base, (2e-20) on head");
  expect(compare_totals("0", "1e-300"), Kind::rows, "row 1: (0) on base, (1e-300) on head");
}

TEST(Answers, a_column_that_is_floating_on_one_side_alone_is_compared_exactly) {
  const Columns exact = {{"total", false}};
  const Rows base = {{"0.3"}};
  const Rows head = {{"0.30000000000000004"}};
  expect(compare_answers(answer(k_total, base), answer(k_total, head), k_unordered), Kind::none, "");
  for (const auto& [before, after] :
       {std::pair(exact, k_total), std::pair(k_total, exact), std::pair(exact, exact)})
    expect(compare_answers(answer(before, base), answer(after, head), k_unordered), Kind::rows,
           "row 1: (0.3) on base, (0.30000000000000004) on head");
}

TEST(Answers, what_is_no_number_or_endless_is_near_to_nothing) {
  for (const char* same : {"NaN", "Infinity", "-Infinity"})
    expect(compare_totals(same, same), Kind::none, "");
  for (const char* other : {"NaN", "-Infinity", "1", "1e308"}) {
    EXPECT_EQ(static_cast<int>(compare_totals("Infinity", other).kind), static_cast<int>(Kind::rows))
        << other;
    EXPECT_EQ(static_cast<int>(compare_totals(other, "Infinity").kind), static_cast<int>(Kind::rows))
        << other;
  }
  EXPECT_EQ(static_cast<int>(compare_totals("NaN", "0").kind), static_cast<int>(Kind::rows));
  const auto null = answer(k_total, {{std::nullopt}});
  expect(compare_answers(null, null, k_unordered), Kind::none, "");
  expect(compare_answers(answer(k_total, {{"0"}}), null, k_unordered), Kind::rows,
         "row 1: (0) on base, (NULL) on head");
}

TEST(Answers, sets_with_values_that_have_no_order_are_the_same_in_any_order) {
  Rows rows = {{"NaN"},       {"3"},   {std::nullopt}, {"Infinity"}, {"1"},
               {"-Infinity"}, {"NaN"}, {"2"},          {"4"},        {"0"}};
  const auto base = answer(k_total, rows);
  std::ranges::sort(rows);
  do {
    expect(compare_answers(base, answer(k_total, rows), k_unordered), Kind::none, "");
    std::ranges::rotate(rows, rows.begin() + 1);
  } while (!std::ranges::is_sorted(rows));
}

TEST(Answers, digits_more_or_less_move_no_row_of_a_set) {
  const auto base = answer(k_name_total, {{"b", "2.0"}, {"a", "0.30000000000000004"}, {"b", "1"}});
  const auto head = answer(k_name_total, {{"a", "0.3"}, {"b", "1.0000000000000002"}, {"b", "2"}});
  expect(compare_answers(base, head, k_unordered), Kind::none, "");
  expect(compare_answers(base, head, k_ordered), Kind::order, "row 1: (b, 2.0) on base, (a, 0.3) on head");
}

TEST(Answers, rows_that_a_digit_puts_in_another_order_are_still_the_same) {
  const Columns two_sums = {{"x", true}, {"y", true}};
  const auto base = answer(two_sums, {{"1.0000000000001", "5"}, {"1", "7"}});
  const auto head = answer(two_sums, {{"1", "5"}, {"1.0000000000001", "7"}});
  expect(compare_answers(base, head, k_ordered), Kind::none, "");
  expect(compare_answers(base, head, k_unordered), Kind::none, "");
  const auto turned = answer(two_sums, {{"1.0000000000001", "7"}, {"1", "5"}});
  expect(compare_answers(base, turned, k_unordered), Kind::none, "");
  expect(compare_answers(base, turned, k_ordered), Kind::order,
         "row 1: (1.0000000000001, 5) on base, (1.0000000000001, 7) on head");
}

TEST(Answers, a_long_one_is_compared_by_its_hashes) {
  const Rows rows = {{"1", "a"}, {"2", "b"}, {"3", "c"}, {"4", "d"}};
  const Rows turned = {{"1", "a"}, {"2", "b"}, {"4", "d"}, {"3", "c"}};
  const Rows other = {{"1", "a"}, {"2", "b"}, {"3", "c"}, {"4", "e"}};
  const auto base = shortened(answer(k_id_name, rows), 2);
  expect(compare_answers(base, base, k_ordered), Kind::none, "");
  expect(compare_answers(base, shortened(answer(k_id_name, turned), 2), k_unordered), Kind::none, "");
  expect(compare_answers(base, shortened(answer(k_id_name, turned), 2), k_ordered), Kind::order,
         "behind the first 2 rows");
  for (const bool ordered : {k_ordered, k_unordered}) {
    expect(compare_answers(base, shortened(answer(k_id_name, other), 2), ordered), Kind::rows,
           "behind the first 2 rows");
  }
  const Rows early = {{"1", "a"}, {"2", "x"}, {"3", "c"}, {"4", "d"}};
  expect(compare_answers(base, shortened(answer(k_id_name, early), 2), k_ordered), Kind::rows,
         "row 2: (2, b) on base, (2, x) on head");
}

TEST(Answers, of_a_long_one_with_sums_six_digits_count) {
  const auto base = shortened(answer(k_total, {{"1"}, {"0.3"}}), 1);
  const auto head = shortened(answer(k_total, {{"1"}, {"0.30000000000000004"}}), 1);
  const auto other = shortened(answer(k_total, {{"1"}, {"0.31"}}), 1);
  const auto longer = shortened(answer(k_total, {{"1"}, {"0.3"}, {"0.3"}}), 1);
  for (const bool ordered : {k_ordered, k_unordered}) {
    expect(compare_answers(base, head, ordered), Kind::none, "");
    expect(compare_answers(base, other, ordered), Kind::rows, "behind the first 1 row");
    expect(compare_answers(base, longer, ordered), Kind::rows, "behind the first 1 row");
  }
}

TEST(Answers, another_kind_of_value_is_another_answer) {
  auto base = answer(k_id_name, {{"1", "a"}});
  auto head = base;
  base.columns[0].kind = "number";
  head.columns[0].kind = "string";
  expect(compare_answers(base, head, k_ordered), Kind::rows,
         "column id holds a number on base, a string on head");
}

TEST(Answers, values_with_types_of_their_own_are_compared_by_them) {
  auto base = answer(k_id_name, {{"3", "0.1"}});
  auto head = base;
  base.types = {"if"};
  head.types = {"tf"};
  head.in_order = base.in_order + 1;
  expect(compare_answers(base, head, k_ordered), Kind::rows, "row 1: (3, 0.1) on base, ('3', 0.1) on head");
  head.types = {"if"};
  head.kept[0][1] = "0.10000000000000001";
  expect(compare_answers(base, head, k_ordered), Kind::none, "");
  head.kept[0] = {"4", "0.1"};
  expect(compare_answers(base, head, k_ordered), Kind::rows, "row 1: (3, 0.1) on base, (4, 0.1) on head");
}

TEST(Answers, a_write_is_compared_by_the_rows_that_it_wrote) {
  auto base = answer(k_id_name, {});
  auto head = base;
  base.changed = 3000;
  head.changed = 0;
  expect(compare_answers(base, head, k_unordered), Kind::rows, "3,000 rows written on base, 0 on head");
}

TEST(Answers, long_values_and_rows_are_cut_where_they_are_shown) {
  const auto base = answer(k_id_name, {{"1", std::string(400, 'x')}});
  const auto head = answer(k_id_name, {{"1", std::string(400, 'y')}});
  const auto difference = compare_answers(base, head, k_ordered);
  EXPECT_LT(difference.first.size(), 200U) << difference.first;
  EXPECT_TRUE(difference.first.starts_with("row 1: (1, xxx")) << difference.first;
}

}  // namespace
}  // namespace lockkeeper::rehearsal
