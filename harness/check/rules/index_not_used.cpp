#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "check/identity.h"
#include "check/plans.h"
#include "check/queries.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

bool uses(const record::QueryPlan& plan, const std::string& index) {
  return std::any_of(plan.indexes.begin(), plan.indexes.end(),
                     [&](const std::string& used) { return same_identity(used, index); });
}

void find_index_not_used(const record::Run& run, const scenario::Scenario& scenario,
                         std::vector<record::Finding>& findings) {
  for (const record::QueryObservation& observation : run.queries) {
    const scenario::Query* query = query_named(scenario, observation.name);
    if (query == nullptr || observation.head_error) continue;
    std::vector<std::string> faults;
    if (!query->uses_index.empty() && !uses(observation.head_plan, query->uses_index)) {
      faults.push_back(fmt::format("does not use index {} on head ({})", query->uses_index,
                                   observation.head_plan.indexes.empty()
                                       ? "no index at all"
                                       : "but " + join(observation.head_plan.indexes, ", ")));
    }
    for (const std::string& table : newly_read_whole(run, observation)) {
      faults.push_back(fmt::format("reads all of {} on head, which it did not on base", table));
    }
    if (faults.empty()) continue;
    record::Finding finding = finding_of(
        k_index_not_used, *query, fmt::format("{} {}", title_of(run, observation), join(faults, "; ")));
    add_trees(finding, observation);
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_index_not_used{
    .id = "index-not-used",
    .group = "queries",
    .level = record::Level::error,
    .summary =
        "a query's plan does not use the index that it should, or reads a whole table that it did not before",
    .why =
        "An index that no query uses costs every write. The planner passes it over when its columns stand in "
        "the wrong "
        "order, the query wraps the column in a function, or the types differ.",
    .advice =
        "put the columns that the query compares with = first, then the one that it sorts or ranges by; "
        "index the "
        "expression that the query uses; see the plan below the finding",
    .bad = R"(-- query: SELECT * FROM users WHERE lower(email) = $1
-- up
CREATE INDEX users_email_idx ON users (email);)",
    .good = R"(-- query: SELECT * FROM users WHERE lower(email) = $1
-- up
CREATE INDEX users_email_idx ON users (lower(email));)",
    .find = find_index_not_used,
};

}  // namespace lockkeeper::check
