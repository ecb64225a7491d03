#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "engine/attributes.h"
#include "engine/state.h"

namespace lockkeeper::engine {
namespace {

using record::Change;
using record::DataChange;
using record::SchemaFactKind;

Object column(const std::string& name, int position, const std::string& type = "integer",
              std::uint64_t oid = 1) {
  return {.kind = "column",
          .identity = "public.t." + name,
          .parent = "public.t",
          .attributes = R"({"type":")" + type + R"(","nullable":"true","position":")" +
                        std::to_string(position) + R"("})",
          .oid = oid,
          .facts = {}};
}

Object table(std::uint64_t oid = 1) {
  return {.kind = "table",
          .identity = "public.t",
          .parent = {},
          .attributes = R"({"owner":"me"})",
          .oid = oid,
          .facts = {}};
}

Object index(const std::string& name, const std::string& unique, const std::string& key,
             const std::string& columns, const std::string& valid = "true") {
  return {.kind = "index",
          .identity = "public." + name,
          .parent = "public.t",
          .attributes = R"({"definition":"CREATE )" + std::string(unique.empty() ? "" : "UNIQUE ") +
                        "INDEX " + name + " ON public.t USING btree " + key + R"(","valid":")" + valid +
                        R"("})",
          .oid = 7,
          .facts = R"({"columns":")" + columns + R"(")" + (unique.empty() ? "" : R"(,"unique":"t")") + "}"};
}

Object foreign_key(const std::string& columns, const std::string& validated = "true") {
  return {.kind = "constraint",
          .identity = "public.t.t_fk",
          .parent = "public.t",
          .attributes = R"x({"definition":"FOREIGN KEY (a) REFERENCES public.p(id)","validated":")x" +
                        validated + R"x("})x",
          .oid = 9,
          .facts = R"({"contype":"f","columns":")" + columns + R"("})"};
}

State state_of(std::vector<Object> objects) {
  std::ranges::sort(objects, {}, [](const Object& o) { return std::pair(o.kind, o.identity); });
  State state;
  for (Object& object : objects) state.objects.push_back(std::move(object));
  return state;
}

State content_of(TableContent content) {
  return {.objects = {}, .tables = {std::move(content)}, .sequences = {}};
}

TEST(Compare, an_added_column_is_described_in_one_line_and_moves_no_other) {
  const auto before = state_of({table(), column("a", 1), column("c", 2)});
  const auto after = state_of({table(), column("a", 1), column("b", 2), column("c", 3)});

  const auto difference = compare(before, after);

  ASSERT_EQ(difference.objects.size(), 1U);
  EXPECT_EQ(difference.objects[0].change, Change::added);
  EXPECT_EQ(difference.objects[0].definition, "column b integer");
}

TEST(Compare, a_column_that_was_dropped_and_added_again_is_the_only_one_that_moved) {
  const auto before = state_of({table(), column("a", 1), column("b", 2), column("c", 3)});
  const auto after = state_of({table(), column("a", 1), column("b", 3, "integer", 5), column("c", 2)});

  const auto difference = compare(before, after);

  ASSERT_EQ(difference.objects.size(), 1U);
  EXPECT_EQ(difference.objects[0].identity, "public.t.b");
  EXPECT_TRUE(difference.objects[0].recreated);
  ASSERT_EQ(difference.objects[0].attributes.size(), 1U);
  EXPECT_EQ(difference.objects[0].attributes[0].name, "position");
  EXPECT_EQ(difference.objects[0].attributes[0].before, "2");
  EXPECT_EQ(difference.objects[0].attributes[0].after, "3");
}

TEST(Compare, an_attribute_that_one_side_lacks_counts_as_empty) {
  Object plain = table();
  plain.attributes = R"({"owner":"me","comment":"people"})";

  const auto difference = compare(state_of({table()}), state_of({plain}));

  ASSERT_EQ(difference.objects.size(), 1U);
  ASSERT_EQ(difference.objects[0].attributes.size(), 1U);
  EXPECT_EQ(difference.objects[0].attributes[0].name, "comment");
  EXPECT_EQ(difference.objects[0].attributes[0].before, "");
  EXPECT_EQ(difference.objects[0].attributes[0].after, "people");
}

TEST(Compare, a_table_made_again_alike_is_no_difference_but_is_known_to_have_taken_its_index) {
  const auto before = state_of({table(1), index("t_a", "", "(a)", "a")});
  const auto after = state_of({table(2)});

  const auto difference = compare(before, after);

  ASSERT_EQ(difference.objects.size(), 1U);
  EXPECT_EQ(difference.objects[0].change, Change::lost);
  EXPECT_TRUE(difference.objects[0].parent_recreated);
  EXPECT_EQ(difference.objects[0].definition, "CREATE INDEX t_a ON public.t USING btree (a)");
}

TEST(Compare, other_rows_are_told_once_and_not_for_each_column) {
  const auto before =
      content_of({"public.t", 2, {{"a", "integer", "1"}, {"b", "text", "2"}}, {{{"a", "b"}, "10"}}});
  const auto after =
      content_of({"public.t", 1, {{"a", "integer", "3"}, {"b", "text", "4"}}, {{{"a", "b"}, "11"}}});

  const auto difference = compare(before, after);

  ASSERT_EQ(difference.data.size(), 1U);
  EXPECT_EQ(difference.data[0].change, DataChange::table_rows);
  EXPECT_EQ(difference.data[0].rows_before, 2);
  EXPECT_EQ(difference.data[0].rows_after, 1);
}

TEST(Compare, values_that_stand_together_otherwise_are_told_only_where_columns_are_equal) {
  const auto before = content_of({"public.t", 2, {{"a", "integer", "1"}}, {{{"a"}, "10"}}});
  const auto recomposed = content_of({"public.t", 2, {{"a", "integer", "1"}}, {{{"a"}, "11"}}});
  const auto other_values = content_of({"public.t", 2, {{"a", "integer", "5"}}, {{{"a"}, "11"}}});

  ASSERT_EQ(compare(before, recomposed).data.size(), 1U);
  EXPECT_EQ(compare(before, recomposed).data[0].change, DataChange::row_composition);
  ASSERT_EQ(compare(before, other_values).data.size(), 1U);
  EXPECT_EQ(compare(before, other_values).data[0].change, DataChange::column_values);
  EXPECT_EQ(compare(before, other_values).data[0].column, "a");
}

TEST(Compare, whole_rows_are_compared_over_columns_that_both_states_know_of) {
  const auto before = content_of({"public.t", 2, {{"a", "integer", "1"}}, {{{"a", "b"}, "10"}}});
  const auto other = content_of({"public.t", 2, {{"a", "integer", "1"}}, {{{"a"}, "7"}, {{"a", "b"}, "11"}}});
  const auto unknown = content_of({"public.t", 2, {{"a", "integer", "1"}}, {{{"a"}, "7"}}});

  ASSERT_EQ(compare(before, other).data.size(), 1U);
  EXPECT_EQ(compare(before, other).data[0].change, DataChange::row_composition);
  EXPECT_TRUE(compare(before, unknown).data.empty());
}

TEST(Without, attributes_that_differ_between_identical_runs_are_left_out_and_others_stay) {
  record::StateDifference difference;
  difference.objects.push_back({.kind = "column",
                                .identity = "public.t.a",
                                .parent = "public.t",
                                .attributes = {{"default", "1", "2"}, {"nullable", "true", "false"}},
                                .definition = {}});
  record::StateDifference noise;
  noise.objects.push_back({.kind = "column",
                           .identity = "public.t.a",
                           .parent = "public.t",
                           .attributes = {{"default", "2", "3"}},
                           .definition = {}});

  const auto rest = without(difference, noise);

  ASSERT_EQ(rest.objects.size(), 1U);
  ASSERT_EQ(rest.objects[0].attributes.size(), 1U);
  EXPECT_EQ(rest.objects[0].attributes[0].name, "nullable");
}

TEST(Sequences, only_those_that_stand_elsewhere_are_named) {
  State before;
  before.sequences = {{"public.a", "5"}, {"public.b", "unused"}};
  State after;
  after.sequences = {{"public.a", "5"}, {"public.b", "3"}};

  const auto moves = compare_sequences(before, after);

  ASSERT_EQ(moves.size(), 1U);
  EXPECT_EQ(moves[0].sequence, "public.b");
  EXPECT_EQ(moves[0].before, "unused");
  EXPECT_EQ(moves[0].after, "3");
}

std::vector<record::SchemaFact> facts_of(std::vector<Object> before, std::vector<Object> after) {
  before.push_back(table());
  after.push_back(table());
  return schema_facts(state_of(std::move(before)), state_of(std::move(after)));
}

TEST(SchemaFacts, an_index_like_one_that_is_there_is_a_duplicate) {
  const auto facts =
      facts_of({index("old", "", "(a)", "a")},
               {index("old", "", "(a)", "a"), index("neu", "", "(a) WITH (fillfactor='70')", "a")});

  ASSERT_EQ(facts.size(), 1U);
  EXPECT_EQ(facts[0].kind, SchemaFactKind::index_duplicate);
  EXPECT_EQ(facts[0].object, "public.neu");
  EXPECT_EQ(facts[0].detail, "public.old");
}

TEST(SchemaFacts, of_a_primary_key_and_a_unique_index_alike_the_index_is_the_duplicate) {
  Object key = index("t_pkey", "u", "(a)", "a");
  key.attributes.insert(1, R"("constraint":"primary key",)");
  const auto facts = facts_of({}, {index("t_a_key", "u", "(a)", "a"), key});

  ASSERT_EQ(facts.size(), 1U);
  EXPECT_EQ(facts[0].object, "public.t_a_key");
  EXPECT_EQ(facts[0].detail, "public.t_pkey");
}

TEST(SchemaFacts, a_unique_index_beside_a_plain_one_and_another_order_are_no_duplicates) {
  EXPECT_TRUE(
      facts_of({index("old", "", "(a)", "a")}, {index("old", "", "(a)", "a"), index("neu", "u", "(a)", "a")})
          .empty());
  EXPECT_TRUE(facts_of({index("old", "", "(a)", "a")},
                       {index("old", "", "(a)", "a"), index("neu", "", "(a DESC)", "a")})
                  .empty());
}

TEST(SchemaFacts, an_invalid_index_is_told_and_serves_no_key) {
  const auto facts = facts_of({}, {index("broken", "", "(a)", "a", "false"), foreign_key("a")});

  ASSERT_EQ(facts.size(), 2U);
  EXPECT_EQ(facts[0].kind, SchemaFactKind::foreign_key_without_index);
  EXPECT_EQ(facts[0].detail, "a");
  EXPECT_EQ(facts[1].kind, SchemaFactKind::index_invalid);
}

TEST(SchemaFacts, a_key_is_served_by_an_index_that_begins_with_its_columns_in_any_order) {
  EXPECT_TRUE(facts_of({}, {index("i", "", "(b, a, c)", "b\\na\\nc"), foreign_key("a\\nb")}).empty());
  EXPECT_EQ(facts_of({}, {index("i", "", "(c, a, b)", "c\\na\\nb"), foreign_key("a\\nb")}).size(), 1U);
}

TEST(SchemaFacts, a_constraint_left_not_valid_is_told_once_it_is_new) {
  const auto facts = facts_of({}, {index("i", "", "(a)", "a"), foreign_key("a", "false")});

  ASSERT_EQ(facts.size(), 1U);
  EXPECT_EQ(facts[0].kind, SchemaFactKind::constraint_not_validated);
  EXPECT_TRUE(facts_of({foreign_key("a", "false")}, {foreign_key("a", "false")}).empty());
}

}  // namespace
}  // namespace lockkeeper::engine
