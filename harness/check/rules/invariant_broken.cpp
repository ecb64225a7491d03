#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

using record::InvariantObservation;
using record::Moment;

std::string answer(const InvariantObservation& observation) {
  return observation.error ? fmt::format("error: {}", error_text(*observation.error))
                           : fmt::format("'{}'", abridged(observation.value, 120));
}

bool same(const InvariantObservation& a, const InvariantObservation& b) {
  return a.value == b.value && a.error.has_value() == b.error.has_value();
}

std::string when(const InvariantObservation& observation) {
  switch (observation.moment) {
    case Moment::base:
      return "before the trial";
    case Moment::after_up:
      return fmt::format("after up of {}", observation.migration);
    case Moment::after_down:
      return fmt::format("after down of {}", observation.migration);
    case Moment::after_chain:
      return "after all downs and ups";
  }
  return "";
}

/// All that was observed of one invariant, in the order in which it happened.
struct Course {
  const scenario::Invariant* invariant = nullptr;
  std::vector<const InvariantObservation*> observations;

  const InvariantObservation* base() const {
    const auto found = std::find_if(observations.begin(), observations.end(), [](const auto* observation) {
      return observation->moment == Moment::base;
    });
    return found == observations.end() ? nullptr : *found;
  }
  bool holds(const InvariantObservation& observation) const {
    if (observation.error) return false;
    if (invariant->equals) return observation.value == *invariant->equals;
    return base() == nullptr || same(observation, *base());
  }
};

record::Finding make(const record::Run& run, const Course& course, const InvariantObservation& observation) {
  std::string expected = course.invariant->equals ? fmt::format("'{}'", *course.invariant->equals) : "";
  if (expected.empty() && course.base() != nullptr) expected = answer(*course.base());
  const std::string message =
      fmt::format("invariant '{}' does not hold {}: {}, expected {}", course.invariant->name,
                  when(observation), answer(observation), expected.empty() ? "an answer" : expected);
  const record::MigrationRecord* migration = migration_of(run, observation.migration);
  record::Finding finding =
      migration == nullptr
          ? finding_of(k_invariant_broken, message)
          : finding_of(k_invariant_broken, *migration,
                       observation.moment == Moment::after_down ? record::Side::down : record::Side::up,
                       message);
  if (migration == nullptr && !course.invariant->location.file.empty())
    finding.location = course.invariant->location;
  finding.evidence.push_back("query: " + abridged(course.invariant->sql, 200));
  for (const InvariantObservation* other : course.observations) {
    finding.evidence.push_back(fmt::format("{}: {}", when(*other), answer(*other)));
  }
  return finding;
}

/// The state that a migration found has already an answer: only a change of it is this migration's doing.
void report(const record::Run& run, const Course& course, std::vector<record::Finding>& findings) {
  const InvariantObservation* found_by = nullptr;
  const InvariantObservation* after_up = nullptr;
  std::string reported_for;
  bool reported = false;
  for (const InvariantObservation* observation : course.observations) {
    if (observation->moment == Moment::after_up) {
      if (after_up != nullptr && after_up->migration != observation->migration) found_by = after_up;
      after_up = observation;
    }
    const bool inherited = found_by != nullptr && same(*found_by, *observation);
    const bool repeated =
        reported && (observation->migration == reported_for || observation->migration.empty());
    if (!course.holds(*observation) && !inherited && !repeated) {
      findings.push_back(make(run, course, *observation));
      reported = true;
      reported_for = observation->migration;
    }
    if (observation->moment == Moment::base) found_by = observation;
  }
}

void find_invariant_broken(const record::Run& run, const scenario::Scenario& scenario,
                           std::vector<record::Finding>& findings) {
  for (const scenario::Invariant& invariant : scenario.invariants) {
    Course course{&invariant, {}};
    for (const InvariantObservation& observation : run.invariants) {
      if (observation.name == invariant.name) course.observations.push_back(&observation);
    }
    report(run, course, findings);
  }
}

}  // namespace

constinit const Rule k_invariant_broken{
    .id = "invariant-broken",
    .group = "expectations",
    .level = record::Level::error,
    .summary = "a statement that must always give the same answer gives another one",
    .why =
        "The scenario says what no migration may touch: the number of tenants, the sum of all balances, that "
        "nothing "
        "is orphaned.",
    .advice = "find the statement of this side that changes the answer, and narrow it",
    .bad = R"(-- invariant: SELECT sum(amount) FROM payments
-- up: test payments were meant, all without a user went
DELETE FROM payments WHERE user_id IS NULL;)",
    .good = R"(-- invariant: SELECT sum(amount) FROM payments
-- up
UPDATE payments SET user_id = 0 WHERE user_id IS NULL;)",
    .find = find_invariant_broken,
};

}  // namespace lockkeeper::check
