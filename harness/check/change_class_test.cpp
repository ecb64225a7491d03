#include "check/change_class.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockkeeper::check {
namespace {

using record::Change;
using record::ChangeClass;
using record::MigrationRecord;
using record::ObjectDifference;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

ObjectDifference object(const std::string& kind, const std::string& identity, const std::string& parent,
                        Change change, const std::string& definition = "") {
  ObjectDifference result;
  result.kind = kind;
  result.identity = identity;
  result.parent = parent;
  result.change = change;
  result.definition = definition;
  return result;
}

MigrationRecord classified(std::vector<ObjectDifference> objects) {
  MigrationRecord migration;
  migration.forward_change.objects = std::move(objects);
  classify(migration);
  return migration;
}

TEST(ChangeClasses, nothing_is_no_change) {
  EXPECT_EQ(classified({}).change_class, ChangeClass::none);
}

TEST(ChangeClasses, what_only_adds_is_safe) {
  const auto safe =
      classified({object("table", "tags", "", Change::added),
                  object("column", "tags.id", "tags", Change::added, "column id int not null"),
                  object("constraint", "tags.pk", "tags", Change::added, "constraint pk PRIMARY KEY (id)"),
                  object("column", "users.nick", "users", Change::added, "column nick text"),
                  object("index", "by_nick", "users", Change::added, "CREATE INDEX by_nick ON users (nick)"),
                  object("index", "by_name", "users", Change::lost, "CREATE INDEX by_name ON users (name)")});
  EXPECT_EQ(safe.change_class, ChangeClass::safe);
  EXPECT_THAT(safe.change_reasons, IsEmpty());
}

TEST(ChangeClasses, what_rows_or_readers_may_refuse_is_risky) {
  ObjectDifference column = object("column", "users.nick", "users", Change::altered);
  column.attributes = {{"nullable", "true", "false"}, {"type", "text", "varchar(10)"}};
  const auto risky = classified(
      {column, object("index", "u", "users", Change::added, "CREATE UNIQUE INDEX u ON users (nick)"),
       object("column", "users.a", "users", Change::lost, "column a text"),
       object("column", "users.b", "users", Change::added, "column b text")});
  EXPECT_EQ(risky.change_class, ChangeClass::risky);
  EXPECT_THAT(
      risky.change_reasons,
      ElementsAre("sets NOT NULL on users.nick", "changes the type of users.nick from text to varchar(10)",
                  "adds unique index u", "renames column users.a, or drops it for a new one"));
}

TEST(ChangeClasses, what_takes_something_away_is_of_high_risk) {
  const auto high =
      classified({object("column", "users.nick", "users", Change::lost, "column nick text"),
                  object("column", "users.age", "users", Change::added, "column age int not null default 0"),
                  object("constraint", "users.fk", "users", Change::added,
                         "constraint fk FOREIGN KEY (a) REFERENCES b (id)"),
                  object("table", "old", "", Change::lost),
                  object("column", "old.id", "old", Change::lost, "column id int")});
  EXPECT_EQ(high.change_class, ChangeClass::high_risk);
  EXPECT_THAT(high.change_reasons,
              ElementsAre("drops column users.nick", "adds relationship users.fk", "drops table old"));
}

TEST(ChangeClasses, rows_count_too) {
  MigrationRecord migration;
  migration.forward_change.data.push_back({.change = record::DataChange::table_rows,
                                           .table = "users",
                                           .column = {},
                                           .rows_before = 3,
                                           .rows_after = 1,
                                           .rows_lost = {},
                                           .rows_added = {},
                                           .rows_changed = {},
                                           .sample_key = {}});
  classify(migration);
  EXPECT_EQ(migration.change_class, ChangeClass::high_risk);
  migration.forward_change.data[0].change = record::DataChange::column_values;
  migration.forward_change.data[0].rows_after = 3;
  classify(migration);
  EXPECT_EQ(migration.change_class, ChangeClass::risky);
}

}  // namespace
}  // namespace lockkeeper::check
