#include "check/release.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "check/sample_test.h"

namespace lockkeeper::check {
namespace {

using record::Decision;
using record::Mark;
using record::Microseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
namespace s = sample;

record::ToolRun ran(std::string command, std::int64_t errors = 0, bool failed = false) {
  return {
      std::move(command),
      Microseconds(2'000'000),
      failed,
      failed ? "exit code 1" : "exit code 0",
      errors,
      errors > 0 ? std::vector<std::string>{"relation \"pets\" already exists"} : std::vector<std::string>{}};
}

record::Backup sound(std::string name) {
  record::Backup backup;
  backup.name = std::move(name);
  backup.made = ran("pg_dump");
  backup.bytes = 100;
  backup.sha256 = "e3b0";
  backup.listed = ran("pg_restore --list");
  backup.restored = ran("pg_restore");
  backup.without_room = ran("pg_dump", 0, true);
  return backup;
}

record::Road road(record::RoadKind kind, record::ToolRun run) {
  record::Road result;
  result.kind = kind;
  result.name = kind == record::RoadKind::restore_over ? "over" : "fresh";
  result.backup = "nightly";
  result.named = true;
  result.duration = run.duration;
  result.runs = {std::move(run)};
  return result;
}

/// A release whose backup and road are as they should be.
record::Run good_run() {
  record::Run run = s::run_of(s::migration());
  run.release.emplace();
  run.release->backups = {sound("nightly")};
  run.release->roads = {road(record::RoadKind::restore_fresh, ran("pg_restore"))};
  run.release->rows = {{"public.pets", 10'000}};
  return run;
}

scenario::Scenario planned() {
  scenario::Scenario scenario;
  scenario.file = "s.yaml";
  scenario.release.emplace();
  auto& backup = scenario.release->backups.emplace_back();
  backup.name = "nightly";
  backup.location = {"s.yaml", 4, 7};
  scenario.release->roads = {{"nightly", true, false, {"s.yaml", 6, 7}},
                             {"nightly", false, false, {"s.yaml", 7, 7}}};
  return scenario;
}

TEST(BackupRules, say_nothing_of_what_is_as_it_should_be) {
  for (const Rule* rule : {&k_backup_unreadable, &k_restore_fails, &k_restore_differs, &k_restore_too_slow}) {
    EXPECT_THAT(s::find(*rule, good_run(), planned()), IsEmpty()) << rule->id;
    EXPECT_THAT(s::find(*rule, s::run_of(s::migration()), planned()), IsEmpty()) << rule->id;
  }
}

TEST(BackupUnreadable, looks_at_making_size_list_and_a_full_disk) {
  const auto message = [](auto change) {
    record::Run run = good_run();
    change(run.release->backups[0]);
    const auto findings = s::find(k_backup_unreadable, run, planned());
    EXPECT_THAT(findings, SizeIs(1));
    EXPECT_EQ(findings.at(0).location, (Location{"s.yaml", 4, 7}));
    return findings.at(0).message;
  };
  EXPECT_EQ(message([](record::Backup& backup) { backup.made = ran("pg_dump", 0, true); }),
            "backup 'nightly' cannot be made: exit code 1");
  EXPECT_EQ(message([](record::Backup& backup) { backup.bytes = 0; }),
            "backup 'nightly' is empty, and whoever made it says that it went well");
  EXPECT_EQ(message([](record::Backup& backup) { backup.listed = ran("pg_restore --list", 1, true); }),
            "backup 'nightly' cannot be read back");
  EXPECT_EQ(message([](record::Backup& backup) { backup.without_room = ran("pg_dump"); }),
            "backup 'nightly' says that it went well when the disk is full in its middle");
}

TEST(RestoreFails, tells_of_errors_that_the_program_passes_over) {
  record::Run run = good_run();
  run.release->roads = {road(record::RoadKind::restore_over, ran("psql -f nightly.sql", 48))};

  const auto findings = s::find(k_restore_fails, run, planned());

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message, "the way back 'over' fails, and its program ends as if it had not");
  EXPECT_EQ(findings[0].location, (Location{"s.yaml", 6, 7}));
  EXPECT_THAT(findings[0].evidence,
              ElementsAre("psql -f nightly.sql: exit code 0, 48 errors", "relation \"pets\" already exists"));
  EXPECT_THAT(s::find(k_restore_differs, run, planned()), IsEmpty());
}

TEST(RestoreFails, leaves_out_roads_that_nobody_relies_on_and_those_of_a_backup_that_cannot_be_read) {
  record::Run run = good_run();
  run.release->roads = {road(record::RoadKind::restore_over, ran("psql", 48))};
  run.release->roads[0].named = false;
  EXPECT_THAT(s::find(k_restore_fails, run, planned()), IsEmpty());
  run.release->roads[0].named = true;
  run.release->backups[0].listed->failed = true;
  EXPECT_THAT(s::find(k_restore_fails, run, planned()), IsEmpty());
}

TEST(RestoreFails, tells_where_a_broken_off_restore_cannot_be_taken_again) {
  record::Run run = good_run();
  auto& taken = run.release->roads[0];
  taken.broken_by = "its connection was ended half-way";
  taken.again = ran("pg_restore", 3, true);
  EXPECT_EQ(s::find(k_restore_fails, run, planned()).at(0).message,
            "the way back 'fresh' cannot be taken again once its connection was ended half-way");
  taken.again = ran("pg_restore");
  taken.noticed = false;
  EXPECT_EQ(s::find(k_restore_fails, run, planned()).at(0).message,
            "the way back 'fresh' says that it went well although its connection was ended half-way");
}

TEST(RestoreDiffers, lists_what_is_left_behind) {
  record::Run run = good_run();
  run.release->roads[0].difference.objects = {
      s::whole(record::Change::added, "table", "public.loyalty", "", "table public.loyalty")};
  const auto findings = s::find(k_restore_differs, run, planned());
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message,
            "the way back 'fresh' does not end where the backup was made: 1 object left behind");
  EXPECT_EQ(findings[0].location, (Location{"s.yaml", 7, 7}));
}

TEST(RestoreTooSlow, goes_by_the_rows_of_production) {
  record::Run run = good_run();
  scenario::Scenario scenario = planned();
  scenario.release->restore_within = std::chrono::minutes(5);
  EXPECT_THAT(s::find(k_restore_too_slow, run, scenario), IsEmpty());
  scenario.production.rows = {{"pets", 10'000'000}};
  const auto findings = s::find(k_restore_too_slow, run, scenario);
  ASSERT_THAT(findings, SizeIs(1));
  // 2 s for 10,000 rows: a thousand times as long at least, 1.75 times that with log n.
  EXPECT_EQ(findings[0].message,
            "the way back 'fresh' takes longer than 5 min 0 s: 2.0 s here, 33 min 20 s to 58 min 20 s with "
            "the rows "
            "of production");
}

TEST(Estimates, are_not_made_from_a_handful_of_rows) {
  record::Run run = good_run();
  scenario::Scenario scenario = planned();
  scenario.production.rows = {{"pets", 10'000'000}};
  run.release->rows = {{"public.pets", 10}};
  EXPECT_FALSE(with_all_rows_of_production(Microseconds(5), run, scenario));
}

TEST(Decide, is_go_with_nothing_to_say) {
  record::Run run = good_run();
  decide(run, planned());
  EXPECT_EQ(run.release->decision, Decision::go);
  EXPECT_THAT(run.release->risks, IsEmpty());
}

TEST(Decide, is_no_go_with_an_error_even_one_that_is_expected) {
  record::Run run = good_run();
  run.findings = {record::Finding{}};
  run.findings[0].expected = true;
  decide(run, planned());
  EXPECT_EQ(run.release->decision, Decision::no_go);
}

TEST(Decide, names_warnings_allowances_and_lost_rows_as_risks) {
  record::Run run = good_run();
  record::Finding warning;
  warning.rule = "table-rewrite";
  warning.level = record::Level::warning;
  warning.message = "pets is rewritten";
  record::Finding allowed = warning;
  allowed.level = record::Level::note;
  allowed.allowed = true;
  allowed.reason = "at night";
  run.findings = {warning, allowed};
  run.release->roads[0].lost = {{"public.pets", 3, 2}};
  decide(run, planned());
  EXPECT_EQ(run.release->decision, Decision::go_with_risks);
  EXPECT_THAT(
      run.release->risks,
      ElementsAre("table-rewrite: pets is rewritten", "table-rewrite: pets is rewritten (allowed: at night)",
                  "fresh: what is written after the backup is lost (2 rows here)"));
}

TEST(Decide, marks_the_checklist_and_leaves_to_people_what_is_theirs) {
  record::Run run = good_run();
  run.invariants = {{"pets", record::Moment::base, "", "10", {}},
                    {"pets", record::Moment::after_up, "0007", "9", {}}};
  record::ReleaseStep backup;
  backup.name = "backup nightly";
  backup.evidence = {"100 bytes"};
  run.release->steps = {backup};
  scenario::Scenario scenario = planned();
  scenario.release->checklist = {{"a backup is taken", "backups", {}},
                                 {"pets are as many", "pets", {}},
                                 {"the way back works", "roads", {}},
                                 {"the desk is told", "", {}},
                                 {"the dry run changes nothing", "dry run", {}}};
  decide(run, scenario);
  const auto& points = run.release->checklist;
  ASSERT_THAT(points, SizeIs(5));
  EXPECT_EQ(points[0].mark, Mark::done);
  EXPECT_EQ(points[0].evidence, "100 bytes");
  EXPECT_EQ(points[1].mark, Mark::failed);
  EXPECT_EQ(points[1].evidence, "10 → 9");
  EXPECT_EQ(points[2].mark, Mark::done);
  EXPECT_THAT(points[2].evidence, HasSubstr("leads back: fresh"));
  EXPECT_EQ(points[3].mark, Mark::open);
  EXPECT_EQ(points[4].mark, Mark::open) << "no step has answered it";
  EXPECT_EQ(run.release->decision, Decision::no_go) << "a point is not met";
}

TEST(Judge, takes_a_release_check_for_what_it_is) {
  scenario::Scenario scenario = planned();
  scenario.expect_findings = {{"rollback-blocked", "", {"s.yaml", 9, 5}}};
  scenario.allow = {{"column-order-changed", "", "known", "", {"s.yaml", 11, 5}}};
  record::Run run = good_run();
  judge(run, scenario, "2026-11-27");
  EXPECT_THAT(run.missing_expected, IsEmpty()) << "what a rehearsal finds need not appear in a release check";
  EXPECT_THAT(run.stale, IsEmpty());
  scenario.release->expect_findings = {{"restore-fails", "", {"s.yaml", 20, 5}}};
  judge(run, scenario, "2026-11-27");
  EXPECT_THAT(run.missing_expected, SizeIs(1));
  EXPECT_EQ(run.verdict, record::Verdict::fail);
}

}  // namespace
}  // namespace lockkeeper::check
