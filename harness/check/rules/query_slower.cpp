#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "check/identity.h"
#include "check/plans.h"
#include "check/queries.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

/// What makes a write dearer, as far as it was counted.
void add_price_of_write(const record::Run& run, const record::QueryObservation& observation,
                        record::Finding& finding) {
  finding.evidence.push_back(
      fmt::format("pages touched: {} on base, {} on head; WAL: {} on base, {} on head",
                  grouped(observation.base_plan.buffers), grouped(observation.head_plan.buffers),
                  human_bytes(static_cast<std::uint64_t>(observation.base_plan.wal_bytes)),
                  human_bytes(static_cast<std::uint64_t>(observation.head_plan.wal_bytes))));
  std::vector<std::string> indexes;
  for (const record::IndexCost& cost : run.index_costs) {
    const bool written =
        std::any_of(observation.head_plan.nodes.begin(), observation.head_plan.nodes.end(),
                    [&](const record::PlanNode& node) {
                      return !node.relation.empty() && same_identity(node.relation, cost.table);
                    });
    if (!cost.dropped && written) indexes.push_back(cost.index);
  }
  if (!indexes.empty())
    finding.evidence.push_back(fmt::format("new indexes on what it writes to: {}", join(indexes, ", ")));
}

void add(const record::Run& run, const scenario::Query& query, const record::QueryObservation& observation,
         std::string message, std::vector<record::Finding>& findings) {
  record::Finding finding = finding_of(k_query_slower, query, std::move(message));
  finding.evidence.push_back(describe(observation.timing));
  if (observation.writes) add_price_of_write(run, observation, finding);
  if (are_otherwise(observation.base_plan, observation.head_plan)) add_trees(finding, observation);
  findings.push_back(std::move(finding));
}

void find_query_slower(const record::Run& run, const scenario::Scenario& scenario,
                       std::vector<record::Finding>& findings) {
  for (const record::QueryObservation& observation : run.queries) {
    const scenario::Query* query = query_named(scenario, observation.name);
    const auto& timing = observation.timing;
    if (query == nullptr || timing.pairs == 0) continue;
    const std::string title = title_of(run, observation);
    if (const auto limit = ratio_limit_of(*query, scenario); limit && timing.ratio_low > *limit) {
      add(run, *query, observation,
          fmt::format("{} takes {:.2f} times as long on head as on base ({}), at most {:.2f} are allowed",
                      title, timing.ratio, interval_text(timing.ratio_low, timing.ratio_high), *limit),
          findings);
    }
    if (!query->at_most_time) continue;
    const double most = std::chrono::duration<double, std::milli>(*query->at_most_time).count();
    if (timing.head_low <= most) continue;
    add(run, *query, observation,
        fmt::format("{} takes {} on head ({} ms), at most {} are allowed", title,
                    human_milliseconds(timing.head_median), interval_text(timing.head_low, timing.head_high),
                    human(*query->at_most_time)),
        findings);
  }
}

}  // namespace

constinit const Rule k_query_slower{
    .id = "query-slower",
    .group = "queries",
    .level = record::Level::error,
    .summary = "a query is slower on head than the scenario allows",
    .why =
        "A dropped index, a wider row or a trigger slows down what the application does a thousand times a "
        "minute.",
    .advice =
        "compare the plans of base and head: keep the index that the query used, or raise at_most with a "
        "reason if "
        "the price is meant",
    .bad = R"(-- query: SELECT * FROM orders WHERE user_id = 7, at_most: 1.5x
-- up
DROP INDEX orders_user_id_idx;)",
    .good = R"(-- query: SELECT * FROM orders WHERE user_id = 7, at_most: 1.5x
-- up
CREATE INDEX orders_user_id_status_idx ON orders (user_id, status);
DROP INDEX orders_user_id_idx;)",
    .find = find_query_slower,
};

}  // namespace lockkeeper::check
