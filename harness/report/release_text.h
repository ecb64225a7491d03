#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "record/record.h"

/// What reports say of a release check, said once.
namespace lockkeeper::report {

/// "go", "go, with named risks", "no-go"
std::string_view word_of(record::Decision decision);

/// "2 objects and 1 table content differ"
std::string extent_of(const record::StateDifference& difference);

/// "leads back", "ends elsewhere: 2 objects, 1 table content", "fails: …"
std::string outcome_of(const record::Road& road);

/// "1.2 s", with what it would be in production where that is known.
std::string time_of(record::Microseconds here, const std::optional<record::TimeRange>& in_production);

/// "Appointment 3 of 3"; "none" where nothing is lost.
std::string losses_of(const record::Road& road);

/// Ways back that keep the rows, tried: what stops a down, and each way out.
std::vector<std::string> surgical_ways(const record::Run& run);

/// One line of a step of the runbook, without colours.
std::string step_line(const record::ReleaseStep& step);
/// The roads, the checklist, the risks and the decision.
std::vector<std::string> release_lines(const record::Run& run);

/// Backups, roads, what a stop on the way leaves, and the checklist as Markdown.
std::string release_tables(const record::Run& run);

}  // namespace lockkeeper::report
