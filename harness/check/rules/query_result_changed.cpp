#include <fmt/format.h>

#include "base/text.h"
#include "check/queries.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

void find_query_result_changed(const record::Run& run, const scenario::Scenario& scenario,
                               std::vector<record::Finding>& findings) {
  for (const record::QueryObservation& observation : run.queries) {
    const scenario::Query* query = query_named(scenario, observation.name);
    if (query == nullptr || !query->same_result) continue;
    if (observation.base_error || observation.head_error) continue;
    if (observation.same_result || observation.ambiguous_result || observation.not_deterministic) continue;
    const bool counts_differ = observation.base_rows != observation.head_rows;
    const std::string how = counts_differ
                                ? fmt::format("{} on base, {} on head", counted(observation.base_rows, "row"),
                                              grouped(observation.head_rows))
                                : fmt::format("{} on both, with other values or in another order",
                                              counted(observation.base_rows, "row"));
    record::Finding finding =
        finding_of(k_query_result_changed, *query,
                   fmt::format("{} gives another answer: {}", title_of(run, observation), how));
    if (!observation.difference.empty()) finding.evidence.push_back(observation.difference);
    finding.evidence.emplace_back("base gives the same answer under other plans, so it is no matter of ties");
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_query_result_changed{
    .id = "query-result-changed",
    .group = "queries",
    .level = record::Level::error,
    .summary = "a critical query gives another answer on the new schema",
    .why = "An index or a rewrite that is meant to make a query faster must not change what it answers.",
    .advice =
        "find the rows that differ and keep them; where another answer is the purpose, set same_result: "
        "false on "
        "the query",
    .bad = R"(-- query: SELECT count(*) FROM orders WHERE status = 'open'
-- up
UPDATE orders SET status = 'closed' WHERE created_at < now() - interval '1 year';)",
    .good = R"(-- query: SELECT count(*) FROM orders WHERE status = 'open'
-- up
CREATE INDEX orders_status_idx ON orders (status);)",
    .find = find_query_result_changed,
};

}  // namespace lockkeeper::check
