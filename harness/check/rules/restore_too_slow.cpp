#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "check/describe.h"
#include "check/finding.h"
#include "check/release.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

void find_restore_too_slow(const record::Run& run, const scenario::Scenario& scenario,
                           std::vector<record::Finding>& findings) {
  if (!run.release || !scenario.release || !scenario.release->restore_within) return;
  const auto limit = *scenario.release->restore_within;
  for (const record::Road& road : run.release->roads) {
    if (!road.named || road.kind == record::RoadKind::downs || !road.leads_back()) continue;
    const auto expected = with_all_rows_of_production(road.duration, run, scenario);
    const auto longest = expected ? expected->most : road.duration;
    if (longest <= limit) continue;
    record::Finding finding =
        finding_of(k_restore_too_slow, fmt::format("the way back '{}' takes longer than {}: {}", road.name,
                                                   human(limit), span_text(road.duration, expected)));
    finding.location = place_of(scenario, road);
    for (const auto& tool : road.runs) finding.evidence.push_back(tool.command);
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_restore_too_slow{
    .id = "restore-too-slow",
    .group = "backup",
    .level = record::Level::warning,
    .summary = "a restore takes longer than the scenario allows",
    .why =
        "A rollback that takes an hour is an hour without the application, and is decided on by people who "
        "believe "
        "that it takes five minutes.",
    .advice =
        "dump in directory format and restore with several jobs, keep a standby to switch to, or state a "
        "time that "
        "is true",
    .bad = R"(-- release: {backups: [plain], restore_within: 5 min}
-- production: {rows: {appointments: 40M}})",
    .good = R"(-- release: {backups: [{form: directory, jobs: 8}], restore_within: 45 min})",
    .find = find_restore_too_slow,
};

}  // namespace lockkeeper::check
