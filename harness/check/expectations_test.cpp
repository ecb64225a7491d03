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

scenario::Scenario with_query(scenario::Query query) {
  query.name = "one";
  query.sql = "SELECT * FROM users";
  query.location = {"s.yaml", 9, 5};
  scenario::Scenario result;
  result.queries = {std::move(query)};
  return result;
}

record::Run with_observation(record::QueryObservation observation) {
  observation.name = "one";
  record::Run run = s::run_of(s::migration());
  run.queries = {std::move(observation)};
  return run;
}

record::QueryObservation timed(double base, double head, std::size_t pairs = 9) {
  record::QueryObservation observation;
  observation.base_milliseconds.assign(pairs, base);
  observation.head_milliseconds.assign(pairs, head);
  return observation;
}

TEST(QueryFails, says_whether_base_fails_too) {
  record::QueryObservation observation;
  observation.head_error = s::error("42703", "column \"email\" does not exist");

  const auto findings = s::find(k_query_fails, with_observation(observation), with_query({}));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message,
            "query 'one' fails on head: column \"email\" does not exist (SQLSTATE 42703)");
  EXPECT_EQ(findings[0].statement, "SELECT * FROM users");
  EXPECT_EQ(findings[0].location, (Location{"s.yaml", 9, 5}));
  EXPECT_THAT(findings[0].evidence, ElementsAre("it runs on base"));
  EXPECT_THAT(s::find(k_query_fails, with_observation({}), with_query({})), IsEmpty());
}

TEST(QueryResultChanged, ties_and_waived_answers_are_no_findings) {
  record::QueryObservation changed;
  changed.same_result = false;
  changed.base_rows = 3;
  changed.head_rows = 2;
  record::QueryObservation tie = changed;
  tie.ambiguous_result = true;
  scenario::Query waived;
  waived.same_result = false;

  const auto findings = s::find(k_query_result_changed, with_observation(changed), with_query({}));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message, "query 'one' gives another answer: 3 rows on base, 2 on head");
  EXPECT_THAT(s::find(k_query_result_changed, with_observation(tie), with_query({})), IsEmpty());
  EXPECT_THAT(s::find(k_query_result_changed, with_observation(changed), with_query(waived)), IsEmpty());
}

TEST(IndexNotUsed, takes_the_name_with_or_without_its_schema) {
  scenario::Query query;
  query.uses_index = "public.users_email_idx";
  record::QueryObservation used;
  used.head_plan.indexes = {"users_email_idx"};
  record::QueryObservation other;
  other.head_plan.indexes = {"users_pkey"};
  other.head_plan.text = "Index Scan using users_pkey on users";

  EXPECT_THAT(s::find(k_index_not_used, with_observation(used), with_query(query)), IsEmpty());
  const auto findings = s::find(k_index_not_used, with_observation(other), with_query(query));
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message,
            "query 'one' does not use index public.users_email_idx on head (but users_pkey)");
  EXPECT_THAT(findings[0].evidence, ElementsAre("plan on head: Index Scan using users_pkey on users"));
}

TEST(IndexNotUsed, a_table_read_whole_only_on_head_is_a_finding) {
  record::QueryObservation observation;
  observation.base_plan.text = "Index Scan using i on users";
  observation.head_plan.sequential_scans = {"public.users"};
  observation.head_plan.text = "Seq Scan on users";

  const auto findings = s::find(k_index_not_used, with_observation(observation), with_query({}));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message, "query 'one' reads all of public.users on head, which it did not on base");
  observation.base_plan.sequential_scans = {"users"};
  EXPECT_THAT(s::find(k_index_not_used, with_observation(observation), with_query({})), IsEmpty());
}

TEST(QuerySlower, judges_the_median_of_pairs_above_the_noise) {
  scenario::Query query;
  query.at_most = 1.5;

  const auto findings = s::find(k_query_slower, with_observation(timed(1, 2)), with_query(query));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message,
            "query 'one' takes 2.00 times as long on head as on base, at most 1.50 are allowed");
  EXPECT_THAT(
      findings[0].evidence,
      ElementsAre(
          "9 pairs: base median 1.00 ms, head median 2.00 ms, head/base 2.00 (quartiles 2.00 to 2.00)",
          "differences below 0.05 ms count as noise"));
  EXPECT_THAT(s::find(k_query_slower, with_observation(timed(1, 1.4)), with_query(query)), IsEmpty());
  EXPECT_THAT(s::find(k_query_slower, with_observation(timed(0.01, 0.05)), with_query(query)), IsEmpty());
  EXPECT_THAT(s::find(k_query_slower, with_observation(timed(1, 2, 4)), with_query(query)), IsEmpty());
  EXPECT_THAT(s::find(k_query_slower, with_observation(timed(1, 2)), with_query({})), IsEmpty());
}

TEST(QuerySlower, one_slow_sample_does_not_decide) {
  scenario::Query query;
  query.at_most = 1.5;
  record::QueryObservation observation = timed(1, 1);
  observation.head_milliseconds[4] = 500;
  EXPECT_THAT(s::find(k_query_slower, with_observation(observation), with_query(query)), IsEmpty());
}

TEST(ClaimNotMet, compares_with_the_claim) {
  scenario::Query query;
  query.at_least_faster = 10;

  const auto findings = s::find(k_claim_not_met, with_observation(timed(8, 2)), with_query(query));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message,
            "query 'one' is 4.00 times as fast on head as on base, at least 10.00 are claimed");
  EXPECT_THAT(s::find(k_claim_not_met, with_observation(timed(30, 2)), with_query(query)), IsEmpty());
}

TEST(ClaimNotMet, a_query_that_base_cannot_run_proves_no_claim) {
  scenario::Query query;
  query.at_least_faster = 10;
  record::QueryObservation observation;
  observation.base_error = s::error("42703", "column \"a\" does not exist");
  const auto findings = s::find(k_claim_not_met, with_observation(observation), with_query(query));
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message,
            "query 'one' cannot be faster than on base: it fails there: column \"a\" does not exist "
            "(SQLSTATE 42703)");
}

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
