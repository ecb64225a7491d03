#include <fmt/format.h>

#include "base/text.h"
#include "check/plans.h"
#include "check/queries.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

/// A table that is newly read whole is index-not-used; what a write does to more indexes shows in its time.
void find_plan_regressed(const record::Run& run, const scenario::Scenario& scenario,
                         std::vector<record::Finding>& findings) {
  for (const record::QueryObservation& observation : run.queries) {
    const scenario::Query* query = query_named(scenario, observation.name);
    if (query == nullptr || observation.base_error || observation.head_error || observation.writes) continue;
    if (!observation.undecided.empty() || !newly_read_whole(run, observation).empty()) continue;
    // More rows are a change of the answer, and cost what they cost.
    if (!query->same_result && observation.base_rows != observation.head_rows) continue;
    const auto reasons =
        regressions(observation.base_plan, observation.head_plan, scenario.benchmark.buffers_at_most);
    if (reasons.empty()) continue;
    record::Finding finding = finding_of(
        k_plan_regressed, *query, fmt::format("{} {}", title_of(run, observation), join(reasons, "; ")));
    if (touches_far_more(observation.base_plan, observation.head_plan)) finding.level = record::Level::error;
    add_trees(finding, observation);
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_plan_regressed{
    .id = "plan-regressed",
    .group = "queries",
    .level = record::Level::warning,
    .summary = "a query touches more pages on head than the limit allows, or its plan is of a worse kind",
    .why =
        "Pages are counted, not timed: they are the same on every machine. What touches ten times as many is "
        "fast only "
        "while all of them are in memory, and on a small fixture.",
    .advice =
        "see what changed in the tree below (≠): keep the index or the column that made the shorter way "
        "possible, or "
        "raise benchmark.buffers_at_most if the price is meant",
    .bad =
        R"(-- query: SELECT total FROM orders WHERE user_id = 7; base: Index Only Scan using orders_user_id_total_idx
-- up
DROP INDEX orders_user_id_total_idx;
CREATE INDEX orders_user_id_idx ON orders (user_id);)",
    .good = R"(-- query: SELECT total FROM orders WHERE user_id = 7
-- up
CREATE INDEX orders_user_id_created_at_idx ON orders (user_id, created_at) INCLUDE (total);
DROP INDEX orders_user_id_total_idx;)",
    .find = find_plan_regressed,
};

}  // namespace lockkeeper::check
