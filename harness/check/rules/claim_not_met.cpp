#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/queries.h"
#include "check/release.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

/// Without an answer on base there is nothing to be faster than: the claim must not pass unmeasured.
void report_unmeasurable(const scenario::Query& query, const record::SqlError& error,
                         std::vector<record::Finding>& findings) {
  record::Finding finding =
      finding_of(k_claim_not_met, query,
                 fmt::format("query '{}' cannot be faster than on base: it fails there: {}", query.name,
                             error_text(error)));
  finding.advice = "claim a speed-up only of queries that run on base too";
  findings.push_back(std::move(finding));
}

void find_downtime(const record::Run& run, const scenario::Scenario& scenario,
                   std::vector<record::Finding>& findings) {
  if (!run.release || !scenario.release || !scenario.release->downtime_at_most) return;
  const Downtime downtime = downtime_of(run, scenario);
  const auto longest = downtime.in_production ? downtime.in_production->most : downtime.measured;
  if (longest <= *scenario.release->downtime_at_most) return;
  record::Finding finding =
      finding_of(k_claim_not_met, fmt::format("the release takes longer than the {} that are claimed: {}",
                                              human(*scenario.release->downtime_at_most),
                                              span_text(downtime.measured, downtime.in_production)));
  finding.location = place_of(scenario, "");
  finding.advice =
      "claim what is true, or make the slow statements shorter: see the steps that apply migrations";
  findings.push_back(std::move(finding));
}

void find_claim_not_met(const record::Run& run, const scenario::Scenario& scenario,
                        std::vector<record::Finding>& findings) {
  find_downtime(run, scenario, findings);
  for (const record::QueryObservation& observation : run.queries) {
    const scenario::Query* query = query_named(scenario, observation.name);
    if (query == nullptr || !query->at_least_faster || observation.head_error) continue;
    if (observation.base_error) {
      report_unmeasurable(*query, *observation.base_error, findings);
      continue;
    }
    const Comparison comparison = compare(observation);
    if (comparison.pairs < k_fewest_pairs) continue;
    const double faster = 1 / comparison.ratio_median;
    if (faster >= *query->at_least_faster) continue;
    record::Finding finding = finding_of(
        k_claim_not_met, *query,
        fmt::format("query '{}' is {:.2f} times as fast on head as on base, at least {:.2f} are claimed",
                    query->name, faster, *query->at_least_faster));
    finding.evidence.push_back(describe(comparison));
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_claim_not_met{
    .id = "claim-not-met",
    .group = "queries",
    .level = record::Level::error,
    .summary = "a claimed speed-up or downtime was measured and does not hold",
    .why =
        "An index is merged because the pull request says that it makes a page ten times faster. If it does "
        "not, what "
        "remains is its price.",
    .advice = "look at the plan on head; correct the index, or drop it with the claim",
    .bad = R"(-- query: SELECT * FROM orders WHERE user_id = 7, at_least: 10x faster
-- up: the wrong column first
CREATE INDEX orders_status_user_id_idx ON orders (status, user_id);)",
    .good = R"(-- query: SELECT * FROM orders WHERE user_id = 7, at_least: 10x faster
-- up
CREATE INDEX orders_user_id_status_idx ON orders (user_id, status);)",
    .find = find_claim_not_met,
};

}  // namespace lockkeeper::check
