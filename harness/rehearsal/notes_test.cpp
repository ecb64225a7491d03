#include "rehearsal/notes.h"

#include <string>

#include <gtest/gtest.h>

namespace lockkeeper::rehearsal {
namespace {

Notes some_notes() {
  Notes notes;
  notes.state.objects.push_back({.kind = "table",
                                 .identity = "public.\"a b\nü\"",
                                 .parent = "",
                                 .attributes = R"({"owner":"me","comment":"12 3"})",
                                 .oid = 16384,
                                 .facts = ""});
  notes.state.tables.push_back(
      {.table = "public.t",
       .rows = 3,
       .columns = {{"a", "integer", "5", "int4", "a", "1"}, {"b", "text", "", "string", "c", "2"}},
       .compositions = {{{"a", "b"}, "-77"}},
       .storage = "16384 16390",
       .depends_on = engine::Dependence::types});
  notes.state.sequences.push_back({"public.s", "before 5"});
  notes.violations.push_back(
      {record::SchemaFactKind::constraint_violated, "public.t.k", "public.t", "2 rows"});
  return notes;
}

TEST(Notes, are_read_as_they_were_written) {
  const std::string text = encode(some_notes());
  const auto read = decode(text);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(encode(*read), text);
  EXPECT_EQ(read->state.objects[0].identity, "public.\"a b\nü\"");
  EXPECT_EQ(read->state.objects[0].oid, 16384U);
  EXPECT_TRUE(read->state.tables[0] == some_notes().state.tables[0]);
  EXPECT_EQ(read->state.sequences.at(0).position, "before 5");
  EXPECT_EQ(read->violations.at(0).detail, "2 rows");
}

TEST(Notes, that_are_cut_off_or_go_on_are_not_read) {
  const std::string text = encode(some_notes());
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(decode(text.substr(0, size)).has_value()) << size;
  }
  EXPECT_FALSE(decode(text + "0 ").has_value());
}

TEST(Notes, of_another_kind_are_not_read) {
  EXPECT_FALSE(decode(R"({"objects":[],"tables":[],"sequences":[],"violations":[]})").has_value());
  EXPECT_FALSE(decode("lockkeeper notes 3\n99999999999999999999 ").has_value());
  EXPECT_FALSE(decode("lockkeeper notes 3\n5 -1 ").has_value());
}

}  // namespace
}  // namespace lockkeeper::rehearsal
