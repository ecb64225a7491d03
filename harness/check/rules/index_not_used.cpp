#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "check/identity.h"
#include "check/queries.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& other) { return same_identity(other, name); });
}

/// A table of the trial's own has no plan on base to be compared with.
bool is_new(const record::Run& run, const std::string& table) {
  return std::any_of(
      run.migrations.begin(), run.migrations.end(), [&](const record::MigrationRecord& migration) {
        return std::any_of(migration.forward_change.objects.begin(), migration.forward_change.objects.end(),
                           [&](const record::ObjectDifference& object) {
                             return object.change == record::Change::added &&
                                    same_identity(object.identity, table);
                           });
      });
}

/// Tables that head reads whole and base read by an index: base's plan speaks of them, but not as a
/// sequential scan.
std::vector<std::string> newly_read_whole(const record::Run& run,
                                          const record::QueryObservation& observation) {
  std::vector<std::string> tables;
  if (observation.base_error) return tables;
  for (const std::string& table : observation.head_plan.sequential_scans) {
    const bool on_base = names(observation.base_plan.text, bare_name(table));
    if (on_base && !holds(observation.base_plan.sequential_scans, table) && !is_new(run, table)) {
      tables.push_back(table);
    }
  }
  return tables;
}

void add_plan(record::Finding& finding, std::string_view where, const std::string& plan) {
  for (const std::string& line : split(plan, '\n')) {
    if (!trimmed(line).empty()) finding.evidence.push_back(fmt::format("{}: {}", where, line));
  }
}

void find_index_not_used(const record::Run& run, const scenario::Scenario& scenario,
                         std::vector<record::Finding>& findings) {
  for (const record::QueryObservation& observation : run.queries) {
    const scenario::Query* query = query_named(scenario, observation.name);
    if (query == nullptr || observation.head_error) continue;
    std::vector<std::string> faults;
    if (!query->uses_index.empty() && !holds(observation.head_plan.indexes, query->uses_index)) {
      faults.push_back(fmt::format("does not use index {} on head ({})", query->uses_index,
                                   observation.head_plan.indexes.empty()
                                       ? "no index at all"
                                       : "but " + join(observation.head_plan.indexes, ", ")));
    }
    for (const std::string& table : newly_read_whole(run, observation)) {
      faults.push_back(fmt::format("reads all of {} on head, which it did not on base", table));
    }
    if (faults.empty()) continue;
    record::Finding finding =
        finding_of(k_index_not_used, *query, fmt::format("query '{}' {}", query->name, join(faults, "; ")));
    add_plan(finding, "plan on head", observation.head_plan.text);
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
