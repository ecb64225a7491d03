#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/queries.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

/// A query that does not look like a write runs in a transaction that only reads (PostgreSQL: 25006
/// read_only_sql_transaction).
bool writes_in_secret(const record::SqlError& error) {
  return error.sqlstate == "25006" || error.sqlstate == "SQLITE_READONLY";
}

void find_query_fails(const record::Run& run, const scenario::Scenario& scenario,
                      std::vector<record::Finding>& findings) {
  for (const record::QueryObservation& observation : run.queries) {
    const scenario::Query* query = query_named(scenario, observation.name);
    if (query == nullptr || !observation.head_error) continue;
    record::Finding finding = finding_of(
        k_query_fails, *query,
        fmt::format("{} fails on head: {}", title_of(run, observation), error_text(*observation.head_error)));
    for (const std::string& part : {observation.head_error->detail, observation.head_error->hint}) {
      if (!part.empty()) finding.evidence.push_back("server: " + abridged(part, 300));
    }
    finding.evidence.push_back(
        observation.base_error ? fmt::format("it fails on base too: {}", error_text(*observation.base_error))
                               : std::string("it runs on base"));
    if (observation.base_error)
      finding.advice = "correct the query in the scenario: it runs on neither schema";
    if (writes_in_secret(*observation.head_error))
      finding.advice =
          "if it is meant to write, say so on the query: writes: true; each execution is rolled back";
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_query_fails{
    .id = "query-fails",
    .group = "queries",
    .level = record::Level::error,
    .summary = "a critical query fails on the new schema",
    .why =
        "The query is one that the application runs all day. It names a column or table that the migration "
        "has taken "
        "away or renamed.",
    .advice =
        "keep the old name until no release uses it any more: add the new column beside it, or leave a view "
        "of the "
        "old name",
    .bad = R"(-- query: SELECT email FROM users WHERE id = 1
-- up
ALTER TABLE users RENAME COLUMN email TO email_address;)",
    .good = R"(-- query: SELECT email FROM users WHERE id = 1
-- up
ALTER TABLE users ADD COLUMN email_address text GENERATED ALWAYS AS (email) STORED;)",
    .find = find_query_fails,
};

}  // namespace lockkeeper::check
