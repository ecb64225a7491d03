#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/release.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

using record::ExpectationObservation;
using scenario::Expectation;

std::string found_text(const std::string& found, const std::string& sqlstate) {
  const std::string text = found.empty() ? "nothing" : abridged(found, 200);
  const bool repeats = sqlstate.empty() || text.find(sqlstate) != std::string::npos;
  return repeats ? text : fmt::format("{} ({})", text, code_text(sqlstate));
}

void report(const Expectation& expectation, std::string message, std::string advice,
            std::vector<record::Finding>& findings) {
  record::Finding finding = finding_of(k_expectation_not_met, std::move(message));
  if (!expectation.location.file.empty()) finding.location = expectation.location;
  if (!expectation.sql.empty()) finding.statement = abridged(expectation.sql, 120);
  if (!advice.empty()) finding.advice = std::move(advice);
  findings.push_back(std::move(finding));
}

void judge_after(const Expectation& expectation, const ExpectationObservation& observation,
                 std::vector<record::Finding>& findings) {
  if (observation.after_held) return;
  report(expectation,
         fmt::format("after up, expected {}: found {}", expectation.describe(),
                     found_text(observation.after_found, observation.after_sqlstate)),
         "", findings);
}

void judge_before(const Expectation& expectation, const ExpectationObservation& observation,
                  std::vector<record::Finding>& findings) {
  constexpr const char* k_what_to_do =
      "start the trial before the migration that brings it (since), or correct the expectation: as it is, it "
      "passes "
      "without the migration";
  if (!observation.before_known) return;
  if (expectation.not_before && observation.before_held) {
    report(expectation,
           fmt::format("before up, expected otherwise than {}: it held already", expectation.describe()),
           k_what_to_do, findings);
  }
  const auto& wanted = expectation.fails_before;
  if (wanted.empty() || std::find(wanted.begin(), wanted.end(), observation.before_sqlstate) != wanted.end())
    return;
  const std::string found = observation.before_sqlstate.empty()
                                ? std::string("it ran")
                                : found_text(observation.before_found, observation.before_sqlstate);
  report(expectation,
         fmt::format("before up, expected {} to fail with {}: {}", expectation.describe(),
                     code_text(join(wanted, " or ")), found),
         k_what_to_do, findings);
}

/// Pre-checks and operations of a release.
void judge_checks(const record::Run& run, const scenario::Scenario& scenario,
                  std::vector<record::Finding>& findings) {
  if (!run.release) return;
  for (const record::ReleaseCheck& check : run.release->checks) {
    if (check.held) continue;
    record::Finding finding =
        finding_of(k_expectation_not_met,
                   fmt::format("{} '{}' does not hold: {}", check.before ? "pre-check" : "operation",
                               check.name, answer_to(scenario, check)));
    if (const scenario::Invariant* const asked = planned(scenario, check)) {
      finding.location = asked->location;
      finding.statement = abridged(asked->sql, 120);
    }
    finding.advice = check.before ? "put it right before the release, or correct the check"
                                  : "mend what the new schema refuses, or correct the operation";
    findings.push_back(std::move(finding));
  }
}

void find_expectation_not_met(const record::Run& run, const scenario::Scenario& scenario,
                              std::vector<record::Finding>& findings) {
  judge_checks(run, scenario, findings);
  for (const ExpectationObservation& observation : run.expectations) {
    if (observation.index >= scenario.after_up.size()) continue;
    const Expectation& expectation = scenario.after_up[observation.index];
    judge_after(expectation, observation, findings);
    judge_before(expectation, observation, findings);
  }
}

}  // namespace

constinit const Rule k_expectation_not_met{
    .id = "expectation-not-met",
    .group = "expectations",
    .level = record::Level::error,
    .summary = "after up, something that the scenario expects is not so (or was so already before)",
    .why = "The migration runs, goes back and runs again, and still does not do what it was written for.",
    .advice =
        "compare the migration with what the scenario expects: a wrong table, a missing statement, or IF NOT "
        "EXISTS "
        "that found something else of that name",
    .bad = R"(-- after_up: {column: payments.user_id, nullable: true, not_before: true}
-- up: drops the default, not the NOT NULL
ALTER TABLE payments ALTER COLUMN user_id DROP DEFAULT;)",
    .good = R"(-- after_up: {column: payments.user_id, nullable: true, not_before: true}
-- up
ALTER TABLE payments ALTER COLUMN user_id DROP NOT NULL;)",
    .find = find_expectation_not_met,
};

}  // namespace lockkeeper::check
