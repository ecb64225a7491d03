#include <algorithm>
#include <functional>

#include <gtest/gtest.h>

#include "engine/state.h"

namespace lockkeeper::engine {
namespace {

using record::SchemaFact;
using record::SchemaFactKind;

/// Of a table, whose name stands in identity and definition: what a rename changes.
Object index(const std::string& table, const std::string& name, const std::string& valid = "true") {
  return {.kind = "index",
          .identity = "public." + name,
          .parent = "public." + table,
          .attributes = R"x({"definition":"CREATE INDEX )x" + name + " ON public." + table +
                        R"x( USING btree (a)","valid":")x" + valid + R"x("})x",
          .oid = std::hash<std::string>()(name),
          .facts = R"({"columns":"a"})"};
}

Object constraint(const std::string& table, const std::string& type, const std::string& validated = "true") {
  return {.kind = "constraint",
          .identity = "public." + table + "." + type,
          .parent = "public." + table,
          .attributes = R"({"definition":"of column a","validated":")" + validated + R"("})",
          .oid = std::hash<std::string>()(type),
          .facts = R"({"contype":")" + type + R"(","columns":"a"})"};
}

State sorted_state(std::vector<Object> objects) {
  std::ranges::sort(objects, {}, [](const Object& o) { return std::pair(o.kind, o.identity); });
  State state;
  for (Object& object : objects) state.objects.push_back(std::move(object));
  return state;
}

std::vector<SchemaFact> facts_of(std::vector<Object> before, std::vector<Object> after) {
  return schema_facts(sorted_state(std::move(before)), sorted_state(std::move(after)));
}

void expect_settled(const std::vector<SchemaFact>& facts, SchemaFactKind kind, const std::string& object) {
  ASSERT_EQ(facts.size(), 1U) << object;
  EXPECT_EQ(facts[0].kind, kind);
  EXPECT_EQ(facts[0].object, object);
  EXPECT_TRUE(facts[0].settled);
}

TEST(SchemaFacts, a_key_that_gets_an_index_later_or_is_dropped_is_settled) {
  const auto kind = SchemaFactKind::foreign_key_without_index;
  expect_settled(facts_of({constraint("t", "f")}, {constraint("t", "f"), index("t", "i")}), kind,
                 "public.t.f");
  expect_settled(facts_of({constraint("t", "f")}, {}), kind, "public.t.f");
  EXPECT_TRUE(facts_of({constraint("t", "f")}, {constraint("t", "f"), index("u", "i")}).empty());
}

TEST(SchemaFacts, an_invalid_index_that_is_rebuilt_is_settled) {
  expect_settled(facts_of({index("t", "i", "false")}, {index("t", "i")}), SchemaFactKind::index_invalid,
                 "public.i");
}

TEST(SchemaFacts, an_index_that_is_dropped_is_neither_invalid_nor_a_duplicate_any_more) {
  const auto facts = facts_of({index("t", "i", "false")}, {index("t", "j")});

  ASSERT_EQ(facts.size(), 2U);
  for (const SchemaFact& fact : facts) {
    EXPECT_EQ(fact.object, "public.i");
    EXPECT_TRUE(fact.settled);
  }
}

TEST(SchemaFacts, a_constraint_that_is_validated_is_settled) {
  expect_settled(facts_of({constraint("t", "c", "false")}, {constraint("t", "c")}),
                 SchemaFactKind::constraint_not_validated, "public.t.c");
}

TEST(SchemaFacts, a_renamed_table_takes_them_along_under_their_former_name) {
  const auto facts = facts_of({constraint("t", "f"), constraint("t", "c", "false")},
                              {constraint("z", "f"), constraint("z", "c", "false")});

  ASSERT_EQ(facts.size(), 2U);
  EXPECT_EQ(facts[0].kind, SchemaFactKind::constraint_not_validated);
  EXPECT_EQ(facts[0].formerly, "public.t.c");
  EXPECT_EQ(facts[1].kind, SchemaFactKind::foreign_key_without_index);
  EXPECT_EQ(facts[1].object, "public.z.f");
  EXPECT_EQ(facts[1].formerly, "public.t.f");
  EXPECT_FALSE(facts[1].settled);
}

}  // namespace
}  // namespace lockkeeper::engine
