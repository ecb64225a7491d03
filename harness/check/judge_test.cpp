#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "check/sample_test.h"

namespace lockkeeper::check {
namespace {

using record::Level;
using record::Verdict;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
namespace s = sample;

constexpr std::string_view k_today = "2026-11-21";

/// 0007 loses rows in its down (error) and rewrites data in its up (warning).
record::Run faulty() {
  record::MigrationRecord migration = s::migration();
  migration.back_difference.data = {s::rows("public.users", 10, 9)};
  migration.forward_change.data = {s::rows("public.users", 10, 9)};
  return s::run_of(migration);
}

std::vector<std::string> rules_in(const record::Run& run) {
  std::vector<std::string> rules;
  for (const auto& finding : run.findings) rules.push_back(finding.rule);
  return rules;
}

TEST(Judge, passes_a_run_without_findings) {
  record::Run run = s::run_of(s::migration());
  judge(run, {}, k_today);
  EXPECT_EQ(run.verdict, Verdict::pass);
  EXPECT_THAT(run.findings, IsEmpty());
}

TEST(Judge, fails_at_the_gate_and_not_below_it) {
  record::Run run = faulty();
  judge(run, {}, k_today);
  EXPECT_EQ(run.verdict, Verdict::fail);
  EXPECT_THAT(rules_in(run), ElementsAre("data-not-restored", "data-changed"));

  run.migrations[0].back_difference = {};
  judge(run, {}, k_today);
  EXPECT_EQ(run.verdict, Verdict::pass);
  EXPECT_THAT(rules_in(run), ElementsAre("data-changed"));

  scenario::Scenario strict;
  strict.gate = Level::warning;
  judge(run, strict, k_today);
  EXPECT_EQ(run.gate, Level::warning);
  EXPECT_EQ(run.verdict, Verdict::fail);
}

TEST(Judge, a_run_that_ended_early_is_an_error_whatever_was_found) {
  record::Run run = faulty();
  run.failure = Failure{FailureKind::environment, "disk full", "", std::nullopt};
  scenario::Scenario scenario;
  scenario.expect_findings = {{"up-fails", "", {}}};
  judge(run, scenario, k_today);
  EXPECT_EQ(run.verdict, Verdict::error);
  EXPECT_THAT(run.missing_expected, IsEmpty());
}

TEST(Judge, allowed_findings_stay_as_notes_with_their_reason) {
  record::Run run = faulty();
  scenario::Scenario scenario;
  scenario.allow = {{"data-not-restored", "0007", "kept in the archive", "2026-11-21", {}},
                    {"data-changed", "", "meant", "", {}}};

  judge(run, scenario, k_today);

  EXPECT_EQ(run.verdict, Verdict::pass);
  ASSERT_THAT(run.findings, SizeIs(2));
  EXPECT_TRUE(run.findings[0].allowed);
  EXPECT_EQ(run.findings[0].level, Level::note);
  EXPECT_EQ(run.findings[0].reason, "kept in the archive");
  EXPECT_THAT(run.stale, IsEmpty());
}

TEST(Judge, an_expired_allow_does_not_count_and_says_so) {
  record::Run run = faulty();
  scenario::Scenario scenario;
  scenario.allow = {{"data-not-restored", "", "until the summer", "2026-06-30", {"s.yaml", 3, 1}}};

  judge(run, scenario, k_today);

  EXPECT_EQ(run.verdict, Verdict::fail);
  EXPECT_FALSE(run.findings[0].allowed);
  EXPECT_EQ(run.findings[0].evidence.back(), "was allowed until 2026-06-30 (s.yaml:3:1): until the summer");
  EXPECT_THAT(run.stale, IsEmpty());
}

TEST(Judge, a_declaration_counts_for_its_own_migration_only) {
  record::Run run = faulty();
  run.migrations.push_back(s::migration("0008"));
  run.migrations[1].declarations = {{"data-not-restored", "elsewhere", "", {"m/0008_x.up.sql", 1, 1}}};

  judge(run, {}, k_today);

  EXPECT_EQ(run.verdict, Verdict::fail);
  ASSERT_THAT(run.stale, SizeIs(1));
  EXPECT_EQ(run.stale[0].migration, "0008");

  run.migrations[0].declarations = {{"data-not-restored", "archived", "", {}}};
  judge(run, {}, k_today);
  EXPECT_EQ(run.verdict, Verdict::pass);
}

TEST(Judge, an_allow_for_a_migration_that_is_not_on_trial_is_not_stale) {
  record::Run run = s::run_of(s::migration());
  scenario::Scenario scenario;
  scenario.allow = {{"up-fails", "0001", "old", "", {}}, {"up-fails", "0007", "gone", "", {"s.yaml", 8, 1}}};
  judge(run, scenario, k_today);
  ASSERT_THAT(run.stale, SizeIs(1));
  EXPECT_EQ(run.stale[0].migration, "0007");
  EXPECT_EQ(run.verdict, Verdict::pass);
}

TEST(Judge, levels_of_the_scenario_come_before_the_gate) {
  record::Run run = faulty();
  scenario::Scenario scenario;
  scenario.levels = {{"data-not-restored", Level::note, {}}, {"data-changed", Level::error, {}}};
  judge(run, scenario, k_today);
  EXPECT_EQ(run.findings[0].level, Level::note);
  EXPECT_EQ(run.findings[1].level, Level::error);
  EXPECT_EQ(run.verdict, Verdict::fail);
}

TEST(Judge, a_scenario_that_shows_a_fault_passes_when_exactly_that_appears) {
  record::Run run = faulty();
  scenario::Scenario scenario;
  scenario.expect_findings = {{"data-not-restored", "0007", {}}, {"data-changed", "", {}}};
  judge(run, scenario, k_today);
  EXPECT_EQ(run.verdict, Verdict::pass);
  EXPECT_TRUE(run.findings[0].expected);

  scenario.expect_findings = {{"data-not-restored", "", {}}};
  judge(run, scenario, k_today);
  EXPECT_EQ(run.verdict, Verdict::fail) << "the warning was not expected";

  scenario.expect_findings = {{"data-not-restored", "0008", {}}, {"data-changed", "", {}}};
  judge(run, scenario, k_today);
  EXPECT_EQ(run.verdict, Verdict::fail);
  ASSERT_THAT(run.missing_expected, SizeIs(1));
  EXPECT_EQ(run.missing_expected[0].rule, "data-not-restored");
}

TEST(Judge, notes_that_nobody_expects_do_not_spoil_a_shown_fault) {
  record::Run run = faulty();
  run.migrations[0].sequence_moves = {{"public.s", "1", "2"}};
  scenario::Scenario scenario;
  scenario.expect_findings = {{"data-not-restored", "", {}}, {"data-changed", "", {}}};
  judge(run, scenario, k_today);
  EXPECT_EQ(run.verdict, Verdict::pass);
}

TEST(Judge, sorts_by_migration_then_rule_and_the_whole_run_last) {
  record::Run run = faulty();
  run.migrations.insert(run.migrations.begin(), s::migration("0006"));
  run.migrations[0].forward_change.data = {s::rows("public.users", 10, 9)};
  scenario::Scenario scenario;
  scenario.queries.emplace_back();
  scenario.queries[0].name = "one";
  run.queries.emplace_back();
  run.queries[0].name = "one";
  run.queries[0].head_error = s::error("42P01", "gone");

  judge(run, scenario, k_today);

  EXPECT_THAT(rules_in(run), ElementsAre("data-changed", "data-not-restored", "data-changed", "query-fails"));
  EXPECT_EQ(run.findings[0].migration, "0006");
}

TEST(Judge, judging_twice_gives_the_same) {
  record::Run run = faulty();
  judge(run, {}, k_today);
  const auto once = rules_in(run);
  judge(run, {}, k_today);
  EXPECT_EQ(rules_in(run), once);
}

}  // namespace
}  // namespace lockkeeper::check
