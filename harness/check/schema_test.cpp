#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "check/sample_test.h"

namespace lockkeeper::check {
namespace {

using record::Change;
using record::Level;
using record::SchemaFactKind;
using record::Side;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
namespace s = sample;

record::MigrationRecord with_fact(SchemaFactKind kind, std::string object, std::string detail = "") {
  record::MigrationRecord migration = s::migration();
  migration.forward =
      s::side(Side::up, {s::statement("SELECT 1", 1), s::statement("ALTER TABLE orders ADD x", 2)});
  migration.schema_facts = {{kind, std::move(object), "public.orders", std::move(detail)}};
  return migration;
}

record::Finding one_of(const Rule& rule, const record::Run& run) {
  const auto findings = s::find(rule, run);
  EXPECT_THAT(findings, SizeIs(1)) << rule.id;
  return findings.empty() ? record::Finding{} : findings[0];
}

/// The one finding of a rule over one fact.
record::Finding one(const Rule& rule, const record::MigrationRecord& migration) {
  return one_of(rule, s::run_of(migration));
}

record::MigrationRecord with_notice(Side side, const std::string& text, record::Notice notice) {
  record::MigrationRecord migration = s::migration();
  auto& run = side == Side::up ? migration.forward : migration.back;
  run = s::side(side, {s::statement(text, 3)});
  run->statements[0].notices = {std::move(notice)};
  return migration;
}

TEST(SchemaFacts, each_rule_reports_its_own_kind_only) {
  const std::vector<const Rule*> rules{&k_constraint_not_validated, &k_constraint_violated, &k_index_invalid,
                                       &k_index_duplicate, &k_foreign_key_without_index};
  for (const Rule* rule : rules) EXPECT_THAT(s::find(*rule, s::run_of(s::migration())), IsEmpty());
  for (std::size_t kind = 0; kind < rules.size(); ++kind) {
    const auto migration = with_fact(static_cast<SchemaFactKind>(kind), "public.orders.x", "y");
    for (std::size_t rule = 0; rule < rules.size(); ++rule) {
      EXPECT_THAT(s::find(*rules[rule], s::run_of(migration)), SizeIs(rule == kind ? 1 : 0))
          << rules[rule]->id;
    }
  }
}

TEST(SchemaFacts, say_what_and_where) {
  const auto not_validated =
      one(k_constraint_not_validated,
          with_fact(SchemaFactKind::constraint_not_validated, "public.orders.total_check"));
  EXPECT_EQ(not_validated.message,
            "constraint total_check on public.orders is NOT VALID after up: rows from before "
            "are not held to it");
  EXPECT_EQ(not_validated.level, Level::warning);
  EXPECT_EQ(not_validated.location, (Location{"m/0007_x.up.sql", 2, 1}));
  EXPECT_EQ(one(k_constraint_violated,
                with_fact(SchemaFactKind::constraint_violated, "orders_user_id_fkey", "2 rows"))
                .message,
            "constraint orders_user_id_fkey on public.orders claims to hold, and rows break it: 2 rows");
  EXPECT_EQ(one(k_index_invalid, with_fact(SchemaFactKind::index_invalid, "public.orders_x_idx")).message,
            "index public.orders_x_idx on public.orders is INVALID after up: it is kept up to date, and no "
            "query uses it");
  EXPECT_EQ(
      one(k_index_duplicate, with_fact(SchemaFactKind::index_duplicate, "public.b", "public.a")).message,
      "index public.b on public.orders does the work of public.a once more");
  EXPECT_EQ(
      one(k_foreign_key_without_index,
          with_fact(SchemaFactKind::foreign_key_without_index, "orders_plan_id_fkey", "plan_id"))
          .message,
      "foreign key orders_plan_id_fkey on public.orders (plan_id) has no index that begins with its columns");
}

TEST(ForeignKeyWithoutIndex, stands_at_the_statement_that_names_its_column_not_at_a_later_one_on_its_table) {
  auto migration =
      with_fact(SchemaFactKind::foreign_key_without_index, "public.orders.orders_plan_id_fkey", "plan_id");
  migration.forward->statements = {
      s::statement("CREATE TABLE orders (id int, plan_id int REFERENCES plans)", 3),
      s::statement("CREATE TABLE lines (order_id int PRIMARY KEY REFERENCES orders)", 7)};

  EXPECT_EQ(one(k_foreign_key_without_index, migration).location, (Location{"m/0007_x.up.sql", 3, 1}));
}

/// A later migration in which the fact is no longer so, or the object has another name.
record::MigrationRecord with_later(record::SchemaFact fact) {
  record::MigrationRecord migration = s::migration("0009");
  migration.schema_facts = {std::move(fact)};
  return migration;
}

TEST(SchemaFacts, that_a_later_migration_of_the_trial_puts_right_are_not_reported) {
  const std::vector<std::pair<const Rule*, SchemaFactKind>> rules{
      {&k_constraint_not_validated, SchemaFactKind::constraint_not_validated},
      {&k_index_invalid, SchemaFactKind::index_invalid},
      {&k_index_duplicate, SchemaFactKind::index_duplicate},
      {&k_foreign_key_without_index, SchemaFactKind::foreign_key_without_index}};
  for (const auto& [rule, kind] : rules) {
    const auto added = with_fact(kind, "public.x", "y");
    record::Run run = s::run_of(added);

    run.migrations = {added, s::migration("0008"), with_later({kind, "public.other", "", "", "", true})};
    EXPECT_THAT(s::find(*rule, run), SizeIs(1)) << rule->id;
    run.migrations = {added, s::migration("0008"), with_later({kind, "public.x", "", "", "", true})};
    EXPECT_THAT(s::find(*rule, run), IsEmpty()) << rule->id;
  }
}

TEST(SchemaFacts, of_a_renamed_object_are_told_once_and_followed) {
  const auto kind = SchemaFactKind::foreign_key_without_index;
  const auto added = with_fact(kind, "public.a.key", "b_id");
  const auto renamed = with_later({kind, "public.z.key", "public.z", "b_id", "public.a.key", false});
  record::Run run = s::run_of(added);

  run.migrations = {added, renamed};
  EXPECT_EQ(one_of(k_foreign_key_without_index, run).migration, "0007");
  run.migrations = {renamed};
  EXPECT_THAT(s::find(k_foreign_key_without_index, run), IsEmpty());
  run.migrations = {added, renamed, with_later({kind, "public.z.key", "public.z", "", "", true})};
  EXPECT_THAT(s::find(k_foreign_key_without_index, run), IsEmpty());
}

TEST(IndexDuplicate, is_none_where_a_later_migration_drops_the_other_one) {
  const auto kind = SchemaFactKind::index_duplicate;
  record::Run run = s::run_of(with_fact(kind, "public.neu", "public.old"));
  run.migrations.push_back(with_later({kind, "public.old", "", "", "", true}));
  EXPECT_THAT(s::find(k_index_duplicate, run), IsEmpty());
}

TEST(CascadeDropped, lists_what_the_side_does_not_name) {
  auto migration = with_notice(
      Side::up, "DROP VIEW active_users CASCADE",
      {"NOTICE", "00000", "drop cascades to 2 other objects",
       "drop cascades to view active_emails\ndrop cascades to constraint o_fkey on table orders"});
  migration.forward_change.objects = {
      s::whole(Change::lost, "view", "public.active_emails", "", ""),
      s::whole(Change::lost, "constraint", "public.orders.o_fkey", "public.orders", "")};

  const auto finding = one(k_cascade_dropped, migration);

  EXPECT_EQ(
      finding.message,
      "CASCADE took 2 objects that up does not name: view active_emails, constraint o_fkey on table orders");
  EXPECT_EQ(finding.statement, "DROP VIEW active_users CASCADE");
  EXPECT_EQ(finding.location, (Location{"m/0007_x.up.sql", 3, 1}));
}

TEST(CascadeDropped, what_is_named_or_was_made_by_the_side_itself_is_fine) {
  auto named = with_notice(Side::up, "DROP VIEW a CASCADE; -- and active_emails",
                           {"NOTICE", "00000", "drop cascades to view active_emails", ""});
  named.forward_change.objects = {s::whole(Change::lost, "view", "public.active_emails", "", "")};
  const auto own = with_notice(Side::up, "DROP TABLE a CASCADE",
                               {"NOTICE", "00000", "drop cascades to view made_before", ""});
  EXPECT_THAT(s::find(k_cascade_dropped, s::run_of(named)), IsEmpty());
  EXPECT_THAT(s::find(k_cascade_dropped, s::run_of(own)), IsEmpty());
}

TEST(CascadeDropped, down_may_take_what_up_made_but_nothing_older) {
  auto migration =
      with_notice(Side::down, "DROP FUNCTION touch() CASCADE",
                  {"NOTICE", "00000", "drop cascades to trigger orders_touch on table orders", ""});
  EXPECT_THAT(s::find(k_cascade_dropped, s::run_of(migration)), IsEmpty());

  migration.back_difference.objects = {
      s::whole(Change::lost, "trigger", "public.orders.orders_touch", "public.orders", "")};
  EXPECT_EQ(one(k_cascade_dropped, migration).message,
            "CASCADE took 1 object that down does not name: trigger orders_touch on table orders");
}

TEST(IdentifierTruncated, repeats_what_the_server_said) {
  const auto migration =
      with_notice(Side::up, "CREATE INDEX …",
                  {"NOTICE", "42622", "identifier \"aaab\" will be truncated to \"aaa\"", ""});
  EXPECT_EQ(one(k_identifier_truncated, migration).message,
            "the server shortened a name: identifier \"aaab\" will be truncated to \"aaa\"");
  const auto other =
      with_notice(Side::up, "CREATE INDEX …", {"NOTICE", "42P07", "relation exists, skipping", ""});
  EXPECT_THAT(s::find(k_identifier_truncated, s::run_of(other)), IsEmpty());
}

record::MigrationRecord recreated_view(const std::string& before, const std::string& after) {
  record::MigrationRecord migration = s::migration();
  migration.forward = s::side(Side::up, {s::statement("DROP VIEW open_orders", 1),
                                         s::statement("CREATE VIEW open_orders AS SELECT 1", 2)});
  migration.forward_change.objects = {
      s::altered("view", "public.open_orders", "", {{"privileges", before, after}})};
  migration.forward_change.objects[0].recreated = true;
  return migration;
}

TEST(PrivilegeLost, names_the_grant_that_is_gone) {
  const auto finding = one(k_privilege_lost, recreated_view("app=r/me me=arwdDxt/me", ""));
  EXPECT_EQ(finding.message,
            "an object that up makes again lost what it had: privileges of view public.open_orders");
  EXPECT_EQ(finding.statement, "CREATE VIEW open_orders AS SELECT 1");
  EXPECT_THAT(finding.evidence,
              ElementsAre("view public.open_orders: privileges was app=r/me me=arwdDxt/me, is the default"));
}

TEST(PrivilegeLost, more_grants_and_changes_in_place_are_fine) {
  EXPECT_THAT(s::find(k_privilege_lost, s::run_of(recreated_view("app=r/me", "app=r/me ops=r/me"))),
              IsEmpty());
  auto in_place = recreated_view("app=r/me", "");
  in_place.forward_change.objects[0].recreated = false;
  EXPECT_THAT(s::find(k_privilege_lost, s::run_of(in_place)), IsEmpty());
}

TEST(PrivilegeLost, an_index_of_a_rebuilt_table_is_missed_unless_it_has_a_successor) {
  record::MigrationRecord migration = s::migration();
  auto lost = s::whole(Change::lost, "index", "public.users_email_idx", "public.users",
                       "CREATE INDEX users_email_idx ON public.users USING btree (email)");
  lost.parent_recreated = true;
  migration.forward_change.objects = {lost};
  EXPECT_EQ(one(k_privilege_lost, migration).message,
            "an object that up makes again lost what it had: index public.users_email_idx");

  migration.forward_change.objects.push_back(
      s::whole(Change::added, "index", "public.users_new_email_idx", "public.users",
               "CREATE INDEX users_new_email_idx ON public.users USING btree (email)"));
  EXPECT_THAT(s::find(k_privilege_lost, s::run_of(migration)), IsEmpty());
}

TEST(PrivilegeLost, an_index_that_came_with_a_renamed_table_or_over_a_column_that_is_gone_is_not_missed) {
  record::MigrationRecord migration = s::migration();
  auto lost = s::whole(Change::lost, "index", "public.users_pkey", "public.users",
                       "CREATE UNIQUE INDEX users_pkey ON public.users USING btree (id)");
  lost.parent_recreated = true;
  auto of_column = s::whole(Change::lost, "index", "public.users_org_idx", "public.users",
                            "CREATE INDEX users_org_idx ON public.users USING btree (email, org_id)");
  of_column.parent_recreated = true;
  migration.forward_change.objects = {
      lost, of_column,
      s::whole(Change::lost, "column", "public.users.org", "public.users", "column org text")};
  EXPECT_EQ(one(k_privilege_lost, migration).message,
            "an object that up makes again lost what it had: index public.users_pkey, index "
            "public.users_org_idx");

  migration.forward_change.objects[2].identity = "public.users.org_id";
  migration.forward_change.objects.push_back(
      s::altered("index", "public.users_new_pkey", "public.users",
                 {{"parent", "public.users_new", "public.users"},
                  {"definition", "CREATE UNIQUE INDEX users_new_pkey ON public.users_new USING btree (id)",
                   "CREATE UNIQUE INDEX users_new_pkey ON public.users USING btree (id)"}}));
  EXPECT_THAT(s::find(k_privilege_lost, s::run_of(migration)), IsEmpty());
}

}  // namespace
}  // namespace lockkeeper::check
