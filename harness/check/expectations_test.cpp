#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "check/sample_test.h"

namespace lockkeeper::check {
namespace {

using record::Moment;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
namespace s = sample;

/// base, then up and down of 0007 and of 0008.
record::Run with_answers(const std::vector<std::string>& answers) {
  record::Run run = s::run_of(s::migration());
  run.migrations.push_back(s::migration("0008"));
  const std::vector<std::pair<Moment, std::string>> moments{
      {Moment::base, ""},         {Moment::after_up, "0007"},   {Moment::after_down, "0007"},
      {Moment::after_up, "0008"}, {Moment::after_down, "0008"}, {Moment::after_chain, ""}};
  for (std::size_t at = 0; at < answers.size(); ++at) {
    run.invariants.push_back({"count", moments[at].first, moments[at].second, answers[at], std::nullopt});
  }
  return run;
}

scenario::Scenario with_invariant(std::optional<std::string> equals = std::nullopt) {
  scenario::Scenario result;
  result.invariants = {{"count", "SELECT count(*) FROM users", std::move(equals), {"s.yaml", 4, 3}}};
  return result;
}

TEST(InvariantBroken, the_same_answer_throughout_is_fine) {
  EXPECT_THAT(s::find(k_invariant_broken, with_answers({"3", "3", "3", "3", "3", "3"}), with_invariant("3")),
              IsEmpty());
}

TEST(InvariantBroken, blames_the_migration_that_changed_the_answer_and_not_its_heirs) {
  const auto findings =
      s::find(k_invariant_broken, with_answers({"3", "2", "3", "2", "2", "3"}), with_invariant());

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].migration, "0007");
  EXPECT_EQ(findings[0].side, record::Side::up);
  EXPECT_EQ(findings[0].message, "invariant 'count' does not hold after up of 0007: '2', expected '3'");
  EXPECT_THAT(findings[0].evidence, Contains("after down of 0008: '2'"));
}

TEST(InvariantBroken, a_second_migration_that_changes_it_again_is_blamed_too) {
  const auto findings =
      s::find(k_invariant_broken, with_answers({"3", "2", "3", "1", "2", "3"}), with_invariant());
  ASSERT_THAT(findings, SizeIs(2));
  EXPECT_EQ(findings[1].migration, "0008");
}

TEST(InvariantBroken, a_base_that_breaks_equals_and_an_error_count) {
  const auto base = s::find(k_invariant_broken, with_answers({"3", "3", "3"}), with_invariant("0"));
  ASSERT_THAT(base, SizeIs(1));
  EXPECT_EQ(base[0].message, "invariant 'count' does not hold before the trial: '3', expected '0'");
  EXPECT_EQ(base[0].location, (Location{"s.yaml", 4, 3}));

  record::Run run = with_answers({"3", ""});
  run.invariants[1].error = s::error("42P01", "relation \"users\" does not exist");
  const auto failing = s::find(k_invariant_broken, run, with_invariant());
  ASSERT_THAT(failing, SizeIs(1));
  EXPECT_EQ(
      failing[0].message,
      "invariant 'count' does not hold after up of 0007: error: relation \"users\" does not exist (SQLSTATE "
      "42P01), expected '3'");
}

TEST(ExpectationNotMet, judges_after_and_before) {
  scenario::Scenario scenario;
  scenario::Expectation column;
  column.column = "payments.user_id";
  column.nullable = true;
  column.not_before = true;
  column.location = {"s.yaml", 6, 3};
  scenario::Expectation sql;
  sql.sql = "INSERT INTO payments DEFAULT VALUES";
  sql.fails_before = {"23001", "23502"};
  scenario.after_up = {column, sql};
  record::Run run = s::run_of(s::migration());
  run.expectations = {{0, "", true, false, "not nullable", "", true, "nullable", ""},
                      {1, "", true, false, "null value", "23502", true, "", ""}};
  EXPECT_THAT(s::find(k_expectation_not_met, run, scenario), IsEmpty());

  run.expectations = {{0, "", true, true, "nullable", "", false, "not nullable", ""},
                      {1, "", true, true, "", "", true, "", ""}};
  const auto findings = s::find(k_expectation_not_met, run, scenario);
  ASSERT_THAT(findings, SizeIs(3));
  EXPECT_EQ(findings[0].message, "after up, expected " + column.describe() + ": found not nullable");
  EXPECT_EQ(findings[0].location, column.location);
  EXPECT_EQ(findings[1].message,
            "before up, expected otherwise than " + column.describe() + ": it held already");
  EXPECT_EQ(findings[2].message,
            "before up, expected " + sql.describe() + " to fail with SQLSTATE 23001 or 23502: it ran");
}

}  // namespace
}  // namespace lockkeeper::check
