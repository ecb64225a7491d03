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

void find_sizes(const record::Run& run, const scenario::Scenario& scenario,
                std::vector<record::Finding>& findings) {
  for (std::size_t at = 0; at < run.sizes.size() && at < scenario.sizes.size(); ++at) {
    const record::SizeObservation& seen = run.sizes[at];
    const scenario::SizeClaim& claim = scenario.sizes[at];
    std::string message;
    if (!seen.base_bytes || !seen.head_bytes) {
      message = fmt::format("the size of {} cannot be compared: it is not there on {}", seen.what,
                            seen.base_bytes   ? "head"
                            : seen.head_bytes ? "base"
                                              : "base and head");
    } else if (static_cast<double>(*seen.head_bytes) >
               claim.at_most * static_cast<double>(*seen.base_bytes)) {
      message = fmt::format(
          "the size of {} on head is {:.2f} times that on base, at most {:.2f} are claimed", seen.what,
          *seen.base_bytes == 0
              ? 0.0
              : static_cast<double>(*seen.head_bytes) / static_cast<double>(*seen.base_bytes),
          claim.at_most);
    }
    if (message.empty()) continue;
    record::Finding finding = finding_of(k_claim_not_met, std::move(message));
    if (seen.base_bytes && seen.head_bytes) {
      finding.evidence.push_back(fmt::format("base {}, head {}",
                                             human_bytes(static_cast<std::uint64_t>(*seen.base_bytes)),
                                             human_bytes(static_cast<std::uint64_t>(*seen.head_bytes))));
    }
    if (!claim.location.file.empty()) finding.location = claim.location;
    finding.advice = "claim what is true: a type's precision, for one, is not what its values take";
    findings.push_back(std::move(finding));
  }
}

void find_claim_not_met(const record::Run& run, const scenario::Scenario& scenario,
                        std::vector<record::Finding>& findings) {
  find_downtime(run, scenario, findings);
  find_sizes(run, scenario, findings);
  for (const record::QueryObservation& observation : run.queries) {
    const scenario::Query* query = query_named(scenario, observation.name);
    if (query == nullptr || !query->at_least_faster || observation.head_error) continue;
    if (observation.base_error) {
      report_unmeasurable(*query, *observation.base_error, findings);
      continue;
    }
    const auto& timing = observation.timing;
    const double claimed = *query->at_least_faster;
    if (timing.pairs == 0 || timing.ratio_low * claimed <= 1) continue;
    record::Finding finding = finding_of(
        k_claim_not_met, *query,
        fmt::format("{} is {:.2f} times as fast on head as on base ({}), at least {:.2f} are claimed",
                    title_of(run, observation), 1 / timing.ratio,
                    interval_text(timing.ratio_high ? 1 / *timing.ratio_high : 0, 1 / timing.ratio_low),
                    claimed));
    finding.evidence.push_back(describe(timing));
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_claim_not_met{
    .id = "claim-not-met",
    .group = "queries",
    .level = record::Level::error,
    .summary = "a claimed speed-up, size or downtime was measured and does not hold",
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
