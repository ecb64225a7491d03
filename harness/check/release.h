#pragma once

#include <optional>
#include <string>
#include <vector>

#include "check/locks.h"
#include "record/record.h"
#include "scenario/scenario.h"

/// What a release check says beyond its findings.
namespace lockkeeper::check {

/// What the ups took, and what they would take at production's size where the scenario states that.
struct Downtime {
  record::Microseconds measured{0};
  std::optional<Estimate> in_production;
};
Downtime downtime_of(const record::Run& run, const scenario::Scenario& scenario);

/// A time that grows with all rows of the database, at production's size: linear at least, and n log n at
/// most, since a restore sorts for its indexes. None where the scenario does not say how many rows there are,
/// or the fixture has too few to go by.
std::optional<Estimate> with_all_rows_of_production(record::Microseconds measured, const record::Run& run,
                                                    const scenario::Scenario& scenario);

/// "1.2 s here, 4 min to 7 min with the rows of production"
std::string span_text(record::Microseconds measured, const std::optional<Estimate>& in_production);

/// Where the plan asks this; null where it does not.
const scenario::Invariant* planned(const scenario::Scenario& scenario, const record::ReleaseCheck& check);
/// "5000, must be 0" where it does not hold, else what was found.
std::string answer_to(const scenario::Scenario& scenario, const record::ReleaseCheck& check);

/// The backup of this name where it could not be read or brought back by itself: no road by it can lead back.
const record::Backup* unproved(const record::Release& release, const std::string& name);

/// Where the scenario names this backup, or the road that uses it; the scenario's file where it does not.
Location place_of(const scenario::Scenario& scenario, const std::string& backup);
Location place_of(const scenario::Scenario& scenario, const record::Road& road);

/// Marks the checklist, lists the risks and decides: by the findings of the run.
void decide(record::Run& run, const scenario::Scenario& scenario);

}  // namespace lockkeeper::check
