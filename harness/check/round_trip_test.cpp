#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "check/error_advice.h"
#include "check/sample_test.h"

namespace lockkeeper::check {
namespace {

using record::Change;
using record::Level;
using record::Side;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
namespace s = sample;

const std::vector<const Rule*>& round_trip_rules() {
  static const std::vector<const Rule*> k_rules{&k_up_fails,
                                                &k_down_fails,
                                                &k_again_fails,
                                                &k_down_missing,
                                                &k_schema_not_restored,
                                                &k_again_differs,
                                                &k_data_not_restored,
                                                &k_data_changed,
                                                &k_chain_broken,
                                                &k_not_deterministic,
                                                &k_sequence_moved,
                                                &k_column_order_changed,
                                                &k_leaves_transaction_open,
                                                &k_session_setting_leaks};
  return k_rules;
}

TEST(RoundTrip, a_migration_that_restores_everything_has_no_findings) {
  record::Run run = s::run_of(s::migration());
  run.chain.ran = true;
  for (const Rule* rule : round_trip_rules()) EXPECT_THAT(s::find(*rule, run), IsEmpty()) << rule->id;
}

TEST(UpFails, names_the_error_the_statement_and_its_line) {
  record::MigrationRecord migration = s::migration();
  migration.forward = s::side(
      Side::up, {s::statement("SELECT 1", 1), s::statement("ALTER TABLE users ADD phone text NOT NULL", 3)});
  s::fail(*migration.forward, s::error("23502", "column \"phone\" contains null values"));

  const auto findings = s::find(k_up_fails, s::run_of(migration));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].rule, "up-fails");
  EXPECT_EQ(findings[0].level, Level::error);
  EXPECT_EQ(findings[0].migration, "0007");
  EXPECT_EQ(findings[0].side, Side::up);
  EXPECT_EQ(findings[0].statement, "ALTER TABLE users ADD phone text NOT NULL");
  EXPECT_EQ(findings[0].location, (Location{"m/0007_x.up.sql", 3, 1}));
  EXPECT_EQ(findings[0].message,
            "up stops with an error: column \"phone\" contains null values (SQLSTATE 23502)");
  EXPECT_THAT(findings[0].evidence, ElementsAre("stopped at statement 2 of the 2 that were sent"));
  EXPECT_THAT(findings[0].advice, HasSubstr("rows hold NULL there: fill them in this migration first"));
}

TEST(UpFails, a_time_limit_of_ours_has_no_sqlstate) {
  record::MigrationRecord migration = s::migration();
  migration.forward->error = s::error("", "no end after 5.0 s");

  const auto findings = s::find(k_up_fails, s::run_of(migration));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message, "up stops with an error: no end after 5.0 s");
  EXPECT_EQ(findings[0].location, (Location{"m/0007_x.up.sql", 1, 0}));
  EXPECT_THAT(findings[0].evidence,
              ElementsAre("no single statement failed: the error came with COMMIT or the connection"));
}

TEST(DownFails, advises_the_order_of_drops_for_2BP01) {
  record::MigrationRecord migration = s::migration();
  migration.back = s::side(Side::down, {s::statement("DROP TABLE plans", 1, "m/0007_x.down.sql")});
  s::fail(*migration.back, s::error("2BP01", "cannot drop table plans because other objects depend on it",
                                    "constraint users_plan_id_fkey on table users depends on table plans"));

  const auto findings = s::find(k_down_fails, s::run_of(migration));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].side, Side::down);
  EXPECT_EQ(findings[0].message,
            "down stops with an error: cannot drop table plans because other objects depend on it (SQLSTATE "
            "2BP01)");
  EXPECT_EQ(findings[0].evidence[0],
            "detail: constraint users_plan_id_fkey on table users depends on table plans");
  EXPECT_THAT(findings[0].advice, HasSubstr("drop in the reverse order of up"));
}

TEST(AgainFails, says_when_down_had_left_something) {
  record::MigrationRecord migration = s::migration();
  migration.again = s::side(Side::up, {s::statement("CREATE TYPE mood AS ENUM ()")});
  s::fail(*migration.again, s::error("42710", "type \"mood\" already exists"));
  migration.back_difference.objects = {s::whole(Change::added, "type", "public.mood", "", "")};

  const auto findings = s::find(k_again_fails, s::run_of(migration));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message,
            "up, run again after down, stops with an error: type \"mood\" already exists (SQLSTATE 42710); "
            "down had "
            "not restored everything before");
  EXPECT_THAT(findings[0].evidence, Contains("after down: left behind type public.mood"));
}

TEST(DownMissing, tells_a_missing_an_empty_and_an_idle_down_apart) {
  record::MigrationRecord none = s::migration();
  none.down.reset();
  record::MigrationRecord empty = s::migration();
  empty.down_is_empty = true;
  empty.forward_change.objects = {
      s::whole(Change::added, "column", "public.users.phone", "public.users", "text")};
  record::MigrationRecord idle = s::migration();
  idle.down_did_nothing = true;
  record::MigrationRecord without = s::migration();
  without.down.reset();
  without.format_has_down = false;

  const auto one = [](const record::MigrationRecord& migration) {
    const auto findings = s::find(k_down_missing, s::run_of(migration));
    EXPECT_THAT(findings, SizeIs(1));
    return findings.empty() ? record::Finding{} : findings[0];
  };

  EXPECT_EQ(one(none).message, "there is no down side");
  EXPECT_EQ(one(none).location, (Location{"m/0007_x.up.sql", 1, 0}));
  EXPECT_EQ(one(empty).message, "the down side holds no statement: what up did stays");
  EXPECT_THAT(one(empty).evidence, ElementsAre("up: new column public.users.phone: text"));
  EXPECT_EQ(one(idle).message, "down runs and changes nothing: what up did stays");
  EXPECT_EQ(one(idle).level, Level::error);
  EXPECT_EQ(one(without).message, "this format has no down side: the migration cannot be taken back");
  EXPECT_EQ(one(without).level, Level::note);
}

TEST(DownMissing, an_empty_down_is_right_for_an_up_that_did_nothing) {
  record::MigrationRecord migration = s::migration();
  migration.down_is_empty = true;
  EXPECT_THAT(s::find(k_down_missing, s::run_of(migration)), IsEmpty());
}

TEST(SchemaNotRestored, lists_objects_as_they_were_and_as_they_are) {
  record::MigrationRecord migration = s::migration();
  migration.back =
      s::side(Side::down, {s::statement("ALTER TABLE users ADD COLUMN email text", 4, "m/0007_x.down.sql")});
  migration.back_difference.objects = {
      s::altered("column", "public.users.email", "public.users",
                 {{"nullable", "no", "yes"}, {"position", "2", "5"}}),
      s::whole(Change::lost, "index", "public.users_email_idx", "public.users",
               "CREATE INDEX users_email_idx ON public.users USING btree (email)"),
      s::whole(Change::added, "table", "public.plans", "", ""),
      s::whole(Change::added, "column", "public.plans.id", "public.plans", "integer"),
      s::whole(Change::added, "index", "public.plans_pkey", "public.plans", "")};

  const auto findings = s::find(k_schema_not_restored, s::run_of(migration));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message,
            "after down the schema is not what it was before up: 1 object left behind, 1 lost, 1 changed");
  EXPECT_EQ(findings[0].location, (Location{"m/0007_x.down.sql", 4, 1}));
  EXPECT_THAT(findings[0].evidence, ElementsAre("column public.users.email: nullable was no, is yes",
                                                "lost index public.users_email_idx: CREATE INDEX "
                                                "users_email_idx ON public.users USING btree (email)",
                                                "left behind table public.plans (with 1 column, 1 index)"));
  EXPECT_THAT(s::find(k_column_order_changed, s::run_of(migration)), SizeIs(1));
}

TEST(SchemaNotRestored, of_long_values_shows_the_place_where_they_part) {
  const std::string begin =
      "CREATE UNIQUE INDEX crates_normalized_name_idx ON public.crates USING btree "
      "(public.normalize_crate_name(";
  record::MigrationRecord migration = s::migration();
  migration.back_difference.objects = {
      s::altered("index", "public.crates_name_idx", "public.crates",
                 {{"definition", begin + "(name)::text))", begin + "name))"}}),
      s::altered("function", "public.touch()", "",
                 {{"definition", "BEGIN\n\tRETURN NEW;\nEND", "BEGIN\n  RETURN NEW;\nEND"}})};

  const auto findings = s::find(k_schema_not_restored, s::run_of(migration));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_THAT(
      findings[0].evidence,
      ElementsAre("index public.crates_name_idx: definition was …ic.normalize_crate_name((name)::text)), "
                  "is …ic.normalize_crate_name(name))",
                  "function public.touch(): definition differs in white space only: BEGIN RETURN NEW; END"));
}

TEST(SchemaNotRestored, leaves_column_order_to_its_own_note) {
  record::MigrationRecord migration = s::migration();
  migration.back_difference.objects = {s::moved_column()};
  migration.again_difference.objects = {s::moved_column()};

  EXPECT_THAT(s::find(k_schema_not_restored, s::run_of(migration)), IsEmpty());
  EXPECT_THAT(s::find(k_again_differs, s::run_of(migration)), IsEmpty());
  const auto notes = s::find(k_column_order_changed, s::run_of(migration));
  ASSERT_THAT(notes, SizeIs(1));
  EXPECT_EQ(notes[0].level, Level::note);
  EXPECT_EQ(notes[0].message, "after down the columns of public.users stand in another order than before up");
  EXPECT_THAT(notes[0].evidence, ElementsAre("column public.users.nick: position was 2, is 5"));
}

TEST(ColumnOrderChanged, a_column_of_the_same_number_stands_behind_others) {
  record::MigrationRecord migration = s::migration();
  migration.back_difference.objects = {
      s::moved_column(), s::altered("column", "public.users.name", "public.users", {{"position", "4", "4"}})};

  const auto notes = s::find(k_column_order_changed, s::run_of(migration));
  ASSERT_THAT(notes, SizeIs(1));
  EXPECT_THAT(notes[0].evidence,
              ElementsAre("column public.users.nick: position was 2, is 5",
                          "column public.users.name: position is 4 as before, but behind other columns"));
}

TEST(SchemaNotRestored, a_down_that_did_nothing_is_one_finding) {
  record::MigrationRecord migration = s::migration();
  migration.down_did_nothing = true;
  migration.back_difference.objects = {s::whole(Change::added, "table", "public.plans", "", "")};
  migration.back_difference.data = {s::rows("public.users", 10, 9)};

  EXPECT_THAT(s::find(k_schema_not_restored, s::run_of(migration)), IsEmpty());
  EXPECT_THAT(s::find(k_data_not_restored, s::run_of(migration)), IsEmpty());
  EXPECT_THAT(s::find(k_down_missing, s::run_of(migration)), SizeIs(1));
}

TEST(AgainDiffers, lists_objects_and_data) {
  record::MigrationRecord migration = s::migration();
  migration.again_difference.objects = {
      s::whole(Change::lost, "trigger", "public.users.touch", "public.users", "CREATE TRIGGER touch …")};
  migration.again_difference.data = {s::rows("public.roles", 3, 4)};

  const auto findings = s::find(k_again_differs, s::run_of(migration));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message,
            "up, run again after down, ends otherwise than the first time: 1 object lost; other data in rows "
            "of public.roles");
  EXPECT_THAT(findings[0].evidence, ElementsAre("lost trigger public.users.touch: CREATE TRIGGER touch …",
                                                "table public.roles: 1 row is new"));
}

TEST(DataNotRestored, says_how_many_values_and_a_key) {
  record::MigrationRecord migration = s::migration();
  migration.back_difference.data = {s::values("public.users", "nick", 3),
                                    s::rows("public.orders", 1200, 1000)};

  const auto findings = s::find(k_data_not_restored, s::run_of(migration));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(
      findings[0].message,
      "after down the data is not what it was before up: values of public.users.nick, rows of public.orders");
  EXPECT_THAT(findings[0].evidence,
              ElementsAre("column public.users.nick: 3 rows hold other values, for example id=17",
                          "table public.orders: 200 of 1,200 rows are gone"));
}

TEST(DataNotRestored, rows_that_up_made_and_down_leaves_are_to_be_deleted) {
  record::MigrationRecord migration = s::migration();
  migration.back_difference.data = {s::rows("public.users", 10, 11)};
  migration.back_difference.data[0].rows_added = 1;
  migration.back_difference.data[0].rows_lost = 0;
  const auto left = s::find(k_data_not_restored, s::run_of(migration));
  migration.back_difference.data[0].rows_lost = 2;
  const auto also_gone = s::find(k_data_not_restored, s::run_of(migration));

  ASSERT_THAT(left, SizeIs(1));
  EXPECT_THAT(left[0].advice, ::testing::StartsWith("delete in the down the rows that up inserted"));
  ASSERT_THAT(also_gone, SizeIs(1));
  EXPECT_EQ(also_gone[0].advice, k_data_not_restored.advice);
}

TEST(DataChanged, blames_the_statement_that_wrote) {
  record::MigrationRecord migration = s::migration();
  migration.forward = s::side(Side::up, {s::statement("DELETE FROM users WHERE old", 1),
                                         s::statement("COMMENT ON TABLE users IS ''", 2)});
  migration.forward->statements[0].rows_changed = 2;
  migration.forward_change.data = {s::rows("public.users", 10, 8)};

  const auto findings = s::find(k_data_changed, s::run_of(migration));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].level, Level::warning);
  EXPECT_EQ(findings[0].message, "up changes data that was there before: rows of public.users");
  EXPECT_EQ(findings[0].statement, "DELETE FROM users WHERE old");
  EXPECT_THAT(findings[0].evidence, ElementsAre("table public.users: 2 of 10 rows are gone"));
}

TEST(DataChanged, inserting_only_is_no_finding) {
  record::MigrationRecord migration = s::migration();
  migration.forward_change.data = {s::rows("public.roles", 3, 4)};
  EXPECT_THAT(s::find(k_data_changed, s::run_of(migration)), IsEmpty());
}

TEST(DataChanged, more_rows_do_not_hide_lost_ones) {
  record::MigrationRecord migration = s::migration();
  migration.forward_change.data = {s::rows("public.roles", 3, 4)};
  migration.forward_change.data[0].rows_lost = 1;
  migration.forward_change.data[0].rows_added = 2;
  const auto findings = s::find(k_data_changed, s::run_of(migration));
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_THAT(findings[0].evidence, ElementsAre("table public.roles: 1 of 3 rows is gone, 2 rows are new"));
}

TEST(DataChanged, a_dropped_table_is_not_a_changed_one) {
  record::MigrationRecord migration = s::migration();
  migration.forward_change.objects = {s::whole(Change::lost, "table", "public.old", "", "")};
  migration.forward_change.data = {s::rows("public.old", 3, 0)};
  EXPECT_THAT(s::find(k_data_changed, s::run_of(migration)), IsEmpty());
}

TEST(ChainBroken, says_at_which_step_the_way_back_stops) {
  record::Run run = s::run_of(s::migration());
  run.migrations.push_back(s::migration("0008"));
  run.chain.ran = true;
  run.chain.back = {
      {"0008", s::side(Side::down)},
      {"0007",
       s::side(Side::down, {s::statement("ALTER TABLE users DROP COLUMN nick", 1, "m/0007_x.down.sql")})}};
  s::fail(run.chain.back[1].run, s::error("42703", "column \"nick\" of relation \"users\" does not exist"));

  const auto findings = s::find(k_chain_broken, run);

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].migration, "0007");
  EXPECT_EQ(findings[0].side, Side::down);
  EXPECT_EQ(findings[0].message,
            "the way back as a whole stops at 0007: column \"nick\" of relation \"users\" does not exist "
            "(SQLSTATE 42703)");
  EXPECT_THAT(findings[0].evidence, Contains("passed before it: 0008"));
  EXPECT_THAT(findings[0].evidence,
              Contains("its single step passes: another migration of the trial is in its way"));
}

TEST(ChainBroken, does_not_say_that_a_single_step_passed_that_never_ran) {
  record::Run run = s::run_of(s::migration());
  run.migrations[0].again.reset();
  run.chain.ran = true;
  run.chain.again = {{"0007", s::side(Side::up, {s::statement("ALTER TABLE users ADD COLUMN nick text")})}};
  s::fail(run.chain.again[0].run, s::error("42701", "column \"nick\" of relation \"users\" already exists"));

  const auto findings = s::find(k_chain_broken, run);

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_THAT(findings[0].evidence, Contains("after its single step back, up was not tried again"));
}

TEST(ErrorAdvice, an_insert_is_told_of_its_own_causes) {
  const auto type = s::error("42804", "column \"a\" is of type int but expression is of type text");
  EXPECT_THAT(advice_for(type, Side::down, "INSERT INTO t SELECT * FROM old"),
              ::testing::StartsWith("name the columns on both sides"));
  EXPECT_THAT(advice_for(type, Side::down, "ALTER TABLE t ALTER a TYPE int"), ::testing::HasSubstr("USING"));
  const auto key = s::error("23505", "duplicate key value violates unique constraint \"t_pkey\"");
  EXPECT_THAT(advice_for(key, Side::up, "INSERT INTO t VALUES (1)"),
              ::testing::StartsWith("a row with this key is there already"));
  const record::SqlError program = s::error("", "alembic ended with exit code 1: KeyError: 'URL'");
  EXPECT_THAT(advice_for(program, Side::up, ""), ::testing::StartsWith("the program that runs the side"));
  const record::SqlError extension = s::error("0A000", "extension \"vector\" is not available");
  EXPECT_THAT(advice_for(extension, Side::up, "CREATE EXTENSION vector"), ::testing::HasSubstr("package"));
  EXPECT_THAT(advice_for(key, Side::up, "CREATE UNIQUE INDEX ON t (a)"),
              ::testing::StartsWith("rows hold duplicates"));
}

TEST(ChainBroken, lays_what_is_left_at_the_door_of_its_migration) {
  record::Run run = s::run_of(s::migration());
  run.migrations.push_back(s::migration("0008"));
  run.migrations[0].forward_change.objects = {s::whole(Change::added, "table", "public.plans", "", "")};
  run.chain.ran = true;
  run.chain.back_difference.objects = {s::whole(Change::added, "table", "public.plans", "", "")};

  const auto findings = s::find(k_chain_broken, run);

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].migration, "0007");
  EXPECT_EQ(findings[0].message,
            "taken back as a whole, the trial ends elsewhere than it began: 1 object left behind");
  EXPECT_THAT(findings[0].evidence,
              ElementsAre("after all downs: left behind table public.plans",
                          "its single step restores the state: only the chain shows this"));
}

TEST(ChainBroken, column_order_alone_and_a_chain_that_did_not_run_are_no_findings) {
  record::Run run = s::run_of(s::migration());
  run.chain.ran = true;
  run.chain.stops_at = "0007";
  run.chain.back_difference.objects = {s::moved_column()};
  EXPECT_THAT(s::find(k_chain_broken, run), IsEmpty());
}

TEST(NotDeterministic, names_what_two_runs_do_differently) {
  record::MigrationRecord migration = s::migration();
  migration.forward =
      s::side(Side::up, {s::statement("ALTER TABLE users ALTER joined_at SET DEFAULT 'now'", 2)});
  migration.up_not_deterministic.objects = {
      s::altered("column", "public.users.joined_at", "public.users", {{"default", "'a'", "'b'"}})};

  const auto findings = s::find(k_not_deterministic, s::run_of(migration));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].level, Level::note);
  EXPECT_EQ(findings[0].message,
            "two identical runs of up end differently in 1 object: left out of the comparison");
  EXPECT_EQ(findings[0].location, (Location{"m/0007_x.up.sql", 2, 1}));
  EXPECT_THAT(findings[0].evidence, ElementsAre("column public.users.joined_at: default was 'a', is 'b'"));
}

TEST(SequenceMoved, says_where_it_stood) {
  record::MigrationRecord migration = s::migration();
  migration.sequence_moves = {{"public.roles_id_seq", "2", "3"}};

  const auto findings = s::find(k_sequence_moved, s::run_of(migration));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message, "1 sequence stands elsewhere after the round trip");
  EXPECT_THAT(findings[0].evidence, ElementsAre("sequence public.roles_id_seq: stood at 2, stands at 3"));
}

TEST(LeavesTransactionOpen, is_said_once_for_up_and_again) {
  record::MigrationRecord migration = s::migration();
  migration.forward =
      s::side(Side::up, {s::statement("BEGIN", 1), s::statement("ALTER TABLE users ADD c int", 2)});
  migration.forward->left_transaction_open = true;
  migration.again->left_transaction_open = true;

  const auto findings = s::find(k_leaves_transaction_open, s::run_of(migration));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message, "up ends while its transaction is still open: nothing of it is committed");
  EXPECT_EQ(findings[0].statement, "BEGIN");
}

TEST(SessionSettingLeaks, names_the_setting_and_the_statement) {
  record::MigrationRecord migration = s::migration();
  migration.forward =
      s::side(Side::up, {s::statement("SET lock_timeout = '2s'", 1), s::statement("SELECT 1", 2)});
  migration.forward->leaked_settings = {{"lock_timeout", "0", "2s"}};
  migration.again->leaked_settings = migration.forward->leaked_settings;

  const auto findings = s::find(k_session_setting_leaks, s::run_of(migration));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].level, Level::warning);
  EXPECT_EQ(findings[0].message, "up leaves 1 setting changed in its session: lock_timeout");
  EXPECT_EQ(findings[0].statement, "SET lock_timeout = '2s'");
  EXPECT_THAT(findings[0].evidence, ElementsAre("lock_timeout: was '0', is '2s'"));
}

}  // namespace
}  // namespace lockkeeper::check
