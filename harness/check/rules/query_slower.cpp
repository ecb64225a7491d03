#include <fmt/format.h>

#include "check/queries.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

void find_query_slower(const record::Run& run, const scenario::Scenario& scenario,
                       std::vector<record::Finding>& findings) {
  for (const record::QueryObservation& observation : run.queries) {
    const scenario::Query* query = query_named(scenario, observation.name);
    if (query == nullptr || !query->at_most || observation.base_error || observation.head_error) continue;
    const Comparison comparison = compare(observation);
    if (comparison.pairs < k_fewest_pairs || comparison.ratio_median <= *query->at_most) continue;
    if (comparison.head_median - comparison.base_median <= k_noise_milliseconds) continue;
    record::Finding finding = finding_of(
        k_query_slower, *query,
        fmt::format("query '{}' takes {:.2f} times as long on head as on base, at most {:.2f} are allowed",
                    query->name, comparison.ratio_median, *query->at_most));
    finding.evidence.push_back(describe(comparison));
    finding.evidence.push_back(
        fmt::format("differences below {:.2f} ms count as noise", k_noise_milliseconds));
    findings.push_back(std::move(finding));
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
