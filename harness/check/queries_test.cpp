#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "check/plans.h"
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

/// Times that are known to a tenth.
record::QueryObservation timed(double base, double head, std::int64_t pairs = 40) {
  record::QueryObservation observation;
  auto& timing = observation.timing;
  timing.verdict = record::TimeVerdict::within;
  timing.pairs = pairs;
  timing.base_median = base;
  timing.head_median = head;
  timing.head_low = 0.9 * head;
  timing.head_high = 1.1 * head;
  timing.ratio = head / base;
  timing.ratio_low = 0.9 * timing.ratio;
  timing.ratio_high = 1.1 * timing.ratio;
  return observation;
}

TEST(QuerySlower, judges_the_lower_bound_of_the_ratio) {
  scenario::Query query;
  query.at_most = 1.5;

  const auto findings = s::find(k_query_slower, with_observation(timed(1, 2)), with_query(query));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(
      findings[0].message,
      "query 'one' takes 2.00 times as long on head as on base (1.80 to 2.20), at most 1.50 are allowed");
  EXPECT_THAT(findings[0].evidence,
              ElementsAre("40 pairs: base 1.00 ms, head 2.00 ms, head/base 2.00 (1.80 to 2.20)"));
  EXPECT_THAT(s::find(k_query_slower, with_observation(timed(1, 1.6)), with_query(query)), IsEmpty());
  EXPECT_THAT(s::find(k_query_slower, with_observation(timed(1, 2, 0)), with_query(query)), IsEmpty());
}

TEST(QuerySlower, a_query_without_a_limit_has_that_of_the_benchmark) {
  auto scenario = with_query({});
  EXPECT_THAT(s::find(k_query_slower, with_observation(timed(1, 1.2)), scenario), SizeIs(1));
  scenario.benchmark.at_most = 1.2;
  EXPECT_THAT(s::find(k_query_slower, with_observation(timed(1, 1.2)), scenario), IsEmpty());
  scenario.benchmark.at_most = 1.05;
  scenario.queries[0].at_least_faster = 2;
  EXPECT_THAT(s::find(k_query_slower, with_observation(timed(1, 1.2)), scenario), IsEmpty());
}

TEST(QuerySlower, a_limit_in_milliseconds_is_judged_by_the_head_alone) {
  scenario::Query query;
  query.at_most_time = std::chrono::milliseconds(50);
  const auto findings = s::find(k_query_slower, with_observation(timed(10, 60)), with_query(query));
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message,
            "query 'one' takes 60.0 ms on head (54.00 to 66.00 ms), at most 50 ms are allowed");
  EXPECT_THAT(s::find(k_query_slower, with_observation(timed(10, 49)), with_query(query)), IsEmpty());
}

TEST(QuerySlower, tells_what_a_write_costs_more) {
  record::QueryObservation observation = timed(1, 2);
  observation.writes = true;
  observation.base_plan.buffers = 3;
  observation.head_plan.buffers = 12;
  observation.base_plan.wal_bytes = 100;
  observation.head_plan.wal_bytes = 900;
  observation.head_plan.nodes.resize(1);
  observation.head_plan.nodes[0].relation = "visits";
  record::Run run = with_observation(observation);
  run.index_costs.resize(2);
  run.index_costs[0].index = "visits_page_idx";
  run.index_costs[0].table = "public.visits";
  run.index_costs[1].index = "orders_idx";
  run.index_costs[1].table = "public.orders";
  const auto findings = s::find(k_query_slower, run, with_query({}));
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].evidence[1],
            "pages touched: 3 on base, 12 on head; WAL: 100 B on base, 900 B on head");
  EXPECT_EQ(findings[0].evidence[2], "new indexes on what it writes to: visits_page_idx");
}

TEST(ClaimNotMet, compares_with_the_bounds_of_the_speed_up) {
  scenario::Query query;
  query.at_least_faster = 10;

  const auto findings = s::find(k_claim_not_met, with_observation(timed(8, 2)), with_query(query));

  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(
      findings[0].message,
      "query 'one' is 4.00 times as fast on head as on base (3.64 to 4.44), at least 10.00 are claimed");
  EXPECT_THAT(s::find(k_claim_not_met, with_observation(timed(30, 2)), with_query(query)), IsEmpty());
  EXPECT_THAT(s::find(k_claim_not_met, with_observation(timed(19, 2)), with_query(query)), IsEmpty())
      << "the bounds do not exclude it";
}

TEST(ClaimNotMet, a_size_is_compared_with_what_is_claimed) {
  scenario::Scenario scenario;
  scenario.sizes.resize(1);
  scenario.sizes[0].at_most = 0.3;
  record::Run run = s::run_of(s::migration());
  run.sizes = {{"table sale", 1000, 290, 0.3}};
  EXPECT_THAT(s::find(k_claim_not_met, run, scenario), IsEmpty());
  run.sizes[0].head_bytes = 310;
  auto findings = s::find(k_claim_not_met, run, scenario);
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message,
            "the size of table sale on head is 0.31 times that on base, at most 0.30 are claimed");
  run.sizes[0].base_bytes.reset();
  findings = s::find(k_claim_not_met, run, scenario);
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message, "the size of table sale cannot be compared: it is not there on base");
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

TEST(QueryFails, a_query_that_writes_in_secret_is_told_how_to_say_so) {
  record::QueryObservation observation;
  observation.base_error = observation.head_error =
      s::error("25006", "cannot execute nextval() in a read-only transaction");
  const auto findings = s::find(k_query_fails, with_observation(observation), with_query({}));
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].advice,
            "if it is meant to write, say so on the query: writes: true; each execution is rolled back");
}

TEST(Queries, are_told_apart_by_their_parameters) {
  record::QueryObservation common;
  common.head_error = s::error("42703", "no");
  common.parameters = "1, 'x'";
  record::Run run = with_observation(common);
  run.queries.push_back(run.queries.front());
  run.queries[1].parameters = "2, 'y'";
  const auto findings = s::find(k_query_fails, run, with_query({}));
  ASSERT_THAT(findings, SizeIs(2));
  EXPECT_THAT(findings[1].message, testing::StartsWith("query 'one' with (2, 'y') fails on head"));
}

TEST(QueryNotDecided, empty_tables_are_an_error_and_open_times_a_note) {
  record::QueryObservation observation = timed(1, 1);
  observation.timing.verdict = record::TimeVerdict::not_decided;
  observation.timing.reason = "40 pairs in 5.0 s say neither";
  observation.base_rows = 3;
  auto findings = s::find(k_query_not_decided, with_observation(observation), with_query({}));
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].level, record::Level::note);
  EXPECT_EQ(findings[0].message, "query 'one' is not decided: 40 pairs in 5.0 s say neither");

  observation = {};
  observation.undecided = "the tables that it reads are empty";
  findings = s::find(k_query_not_decided, with_observation(observation), with_query({}));
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].level, record::Level::error);
  EXPECT_EQ(findings[0].message, "query 'one' is not decided: the tables that it reads are empty");
}

TEST(QueryNotDecided, a_claim_that_stays_open_is_an_error_and_a_read_of_nothing_a_warning) {
  record::QueryObservation observation = timed(8, 2);
  observation.base_rows = 3;
  observation.timing.verdict = record::TimeVerdict::not_decided;
  scenario::Query claim;
  claim.at_least_faster = 4;
  auto findings = s::find(k_query_not_decided, with_observation(observation), with_query(claim));
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].level, record::Level::error);

  observation = timed(1, 1);
  findings = s::find(k_query_not_decided, with_observation(observation), with_query({}));
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].level, record::Level::warning);
  EXPECT_EQ(findings[0].message,
            "query 'one' is not decided: it finds no row, so that its plan and its time say little");
  observation.writes = true;
  EXPECT_THAT(s::find(k_query_not_decided, with_observation(observation), with_query({})), IsEmpty());
}

TEST(QueryNotDecided, an_answer_that_changes_by_itself_is_compared_with_nothing) {
  record::QueryObservation observation = timed(1, 1);
  observation.not_deterministic = true;
  observation.same_result = false;
  EXPECT_THAT(s::find(k_query_result_changed, with_observation(observation), with_query({})), IsEmpty());
  EXPECT_THAT(s::find(k_query_not_decided, with_observation(observation), with_query({})), SizeIs(1));
}

record::PlanNode node(int depth, std::string kind, std::string relation, std::string index,
                      std::int64_t buffers) {
  record::PlanNode result;
  result.depth = depth;
  result.kind = std::move(kind);
  result.relation = std::move(relation);
  result.index = std::move(index);
  result.rows_estimated = 10;
  result.rows = 12;
  result.loops = 1;
  result.buffers = buffers;
  return result;
}

record::QueryPlan plan(std::vector<record::PlanNode> nodes) {
  record::QueryPlan result;
  result.buffers = nodes.front().buffers;
  result.nodes = std::move(nodes);
  return result;
}

TEST(PlanRegressed, pages_may_grow_by_the_limit_and_a_few) {
  const auto of = [](std::int64_t pages) { return plan({node(0, "Index Scan", "users", "i", pages)}); };
  EXPECT_THAT(regressions(of(100), of(110), 1.1), IsEmpty());
  EXPECT_THAT(regressions(of(100), of(115), 1.1), ElementsAre("touches 115 pages, 100 on base"));
  EXPECT_THAT(regressions(of(3), of(7), 1.1), IsEmpty()) << "an index may have a level more";
}

TEST(PlanRegressed, a_worse_scan_and_a_sort_on_disk_count) {
  const auto base = plan({node(0, "Sort", "", "", 10), node(1, "Index Only Scan", "users", "i", 10)});
  auto head = plan({node(0, "Sort", "", "", 10), node(1, "Bitmap Heap Scan", "users", "", 10)});
  EXPECT_THAT(regressions(base, head, 1.1),
              ElementsAre("reads users by Bitmap Heap Scan, by Index Only Scan on base"));
  head.buffers = 9;
  EXPECT_THAT(regressions(base, head, 1.1), IsEmpty()) << "it is of another kind and touches less";
  head.nodes[0].spilled_kilobytes = 2048;
  EXPECT_THAT(regressions(base, head, 1.1),
              ElementsAre("sorts or hashes on disk (2,048 kB), in memory on base"));
}

TEST(PlanRegressed, both_trees_are_shown_with_what_changed) {
  record::QueryObservation observation;
  observation.base_plan =
      plan({node(0, "Limit", "", "", 4), node(1, "Index Scan", "users", "users_email_idx", 4)});
  observation.head_plan = plan({node(0, "Limit", "", "", 40), node(1, "Sort", "", "", 40),
                                node(2, "Index Scan", "users", "users_pkey", 40)});
  const auto findings = s::find(k_plan_regressed, with_observation(observation), with_query({}));
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].message, "query 'one' touches 40 pages, 4 on base");
  EXPECT_THAT(
      findings[0].evidence,
      ElementsAre("base:   Limit (rows 12 of 10 estimated, 4 pages)",
                  "base: ≠   Index Scan using users_email_idx on users (rows 12 of 10 estimated, 4 pages)",
                  "head:   Limit (rows 12 of 10 estimated, 40 pages)",
                  "head: ≠   Sort (rows 12 of 10 estimated, 40 pages)",
                  "head: ≠     Index Scan using users_pkey on users (rows 12 of 10 estimated, 40 pages)"));
  observation.writes = true;
  EXPECT_THAT(s::find(k_plan_regressed, with_observation(observation), with_query({})), IsEmpty());
}

}  // namespace
}  // namespace lockkeeper::check
