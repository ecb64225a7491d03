#include <fmt/format.h>

#include "base/text.h"
#include "check/queries.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

/// What a comparison that was asked for could not be decided by; the level is the rule's for what was never
/// judged at all, and a note for what only stayed open.
void find_query_not_decided(const record::Run& run, const scenario::Scenario& scenario,
                            std::vector<record::Finding>& findings) {
  for (const record::QueryObservation& observation : run.queries) {
    const scenario::Query* query = query_named(scenario, observation.name);
    if (query == nullptr || observation.base_error || observation.head_error) continue;
    const std::string title = title_of(run, observation);
    const auto add = [&](const std::string& why, const std::string& advice) -> record::Finding& {
      findings.push_back(
          finding_of(k_query_not_decided, *query, fmt::format("{} is not decided: {}", title, why)));
      findings.back().advice = advice;
      return findings.back();
    };
    if (!observation.undecided.empty()) {
      add(observation.undecided, std::string(k_query_not_decided.advice));
      continue;
    }
    if (observation.not_deterministic) {
      add("on base it answers otherwise the second time, so its answers were not compared",
          "compare what stays the same: leave out random() and now(), or order by a key")
          .level = record::Level::note;
    } else if (!observation.same_result && observation.ambiguous_result && query->same_result) {
      auto& finding = add("its answer hangs on the plan, so that base and head may differ in it",
                          "order by a key, so that the same rows come in the same order under every plan");
      finding.level = record::Level::note;
      if (!observation.difference.empty()) finding.evidence.push_back(observation.difference);
    }
    const auto& timing = observation.timing;
    if (!observation.writes && observation.base_rows == 0 && observation.head_rows == 0 &&
        !observation.not_deterministic) {
      add("it finds no row, so that its plan and its time say little",
          "give it parameters that rows of the fixture answer to")
          .level = record::Level::warning;
    }
    if (timing.verdict == record::TimeVerdict::not_timed && query->at_least_faster) {
      add("its claim was not measured", "measure it: without --without-time").level = record::Level::note;
    }
    if (timing.verdict != record::TimeVerdict::not_decided) continue;
    auto& finding =
        add(timing.reason, "give it more time: benchmark: {budget: 30 s}; or a limit that is further away");
    finding.evidence.push_back(describe(timing));
    // What is claimed has to be shown.
    if (!query->at_least_faster) finding.level = record::Level::note;
  }
}

}  // namespace

constinit const Rule k_query_not_decided{
    .id = "query-not-decided",
    .group = "queries",
    .level = record::Level::error,
    .summary =
        "a critical query could not be judged: its tables are empty, its answer changes by itself, or time "
        "ran out",
    .why =
        "A query on an empty table is fast whatever its plan is. What was not measured must not pass for "
        "good.",
    .advice = "name a fixture that holds rows of the kind that the query looks for",
    .bad = R"(-- no fixture, seed_rows: 0; query: SELECT * FROM orders WHERE user_id = 7
-- up
DROP INDEX orders_user_id_idx;)",
    .good = R"(-- fixture: orders.sql; query: SELECT * FROM orders WHERE user_id = 7
-- up
CREATE INDEX orders_user_id_status_idx ON orders (user_id, status);)",
    .find = find_query_not_decided,
};

}  // namespace lockkeeper::check
