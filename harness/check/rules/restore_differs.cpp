#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "check/describe.h"
#include "check/finding.h"
#include "check/release.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

constexpr std::size_t k_most_lines = 20;

void add_difference(const record::StateDifference& difference, record::Finding& finding) {
  std::vector<std::string> lines = object_lines(difference.objects, Later::after_down);
  for (std::string& line : data_lines(difference.data)) lines.push_back(std::move(line));
  const std::size_t shown = std::min(lines.size(), k_most_lines);
  for (std::size_t at = 0; at < shown; ++at) finding.evidence.push_back(std::move(lines[at]));
  if (shown < lines.size()) finding.evidence.push_back(fmt::format("and {} more", lines.size() - shown));
}

std::string summary_of(const record::StateDifference& difference) {
  if (difference.objects.empty()) return data_summary(difference.data);
  return object_summary(difference.objects, Later::after_down);
}

/// What its proof has said already.
bool is_known(const record::Release& release, const record::Road& road) {
  if (unproved(release, road.backup) != nullptr) return true;
  return road.kind == record::RoadKind::restore_fresh &&
         std::any_of(release.backups.begin(), release.backups.end(), [&](const auto& backup) {
           return backup.name == road.backup && !backup.difference.empty();
         });
}

void find_restore_differs(const record::Run& run, const scenario::Scenario& scenario,
                          std::vector<record::Finding>& findings) {
  if (!run.release) return;
  const auto report = [&](std::string message, const record::StateDifference& difference, Location location) {
    record::Finding finding = finding_of(k_restore_differs, std::move(message));
    finding.location = std::move(location);
    add_difference(difference, finding);
    findings.push_back(std::move(finding));
    return &findings.back();
  };
  const auto told = [](const record::ToolRun& tool) { return !tool.clean(); };
  for (const record::Backup& backup : run.release->backups) {
    // What cannot be read or restored is told as that.
    if (backup.made.failed || (backup.listed && backup.listed->failed)) continue;
    if (!backup.restored || told(*backup.restored) || backup.difference.empty()) continue;
    report(fmt::format("what backup '{}' brings back is not what was backed up: {}", backup.name,
                       summary_of(backup.difference)),
           backup.difference, place_of(scenario, backup.name));
  }
  for (const record::Road& road : run.release->roads) {
    if (is_known(*run.release, road)) continue;
    if (!road.named || road.error || std::any_of(road.runs.begin(), road.runs.end(), told)) continue;
    if (!road.difference.empty()) {
      auto* finding = report(fmt::format("the way back '{}' does not end where the backup was made: {}",
                                         road.name, summary_of(road.difference)),
                             road.difference, place_of(scenario, road));
      if (road.kind == record::RoadKind::downs)
        finding->advice = "make the downs bring back what they list here, or rely on another way back";
      for (const auto& tool : road.runs) finding->evidence.insert(finding->evidence.begin(), tool.command);
    } else if (road.again && !told(*road.again) && !road.again_difference.empty()) {
      report(fmt::format("taken again after {}, the way back '{}' ends elsewhere: {}", road.broken_by,
                         road.name, summary_of(road.again_difference)),
             road.again_difference, place_of(scenario, road));
    }
  }
  for (const record::FailedRelease& failure : run.release->failures) {
    if (failure.answer.empty() || failure.answer_error || failure.after.empty()) continue;
    if (std::any_of(failure.runs.begin(), failure.runs.end(), told)) continue;
    auto* finding = report(
        fmt::format(
            "when {} is stopped in its middle, the answer '{}' does not lead back to where the backup was "
            "made: {}",
            failure.migration, failure.answer, summary_of(failure.after)),
        failure.after, failure.location.value_or(place_of(scenario, "")));
    finding->migration = failure.migration;
    finding->statement = abridged(failure.before);
    break;
  }
}

}  // namespace

constinit const Rule k_restore_differs{
    .id = "restore-differs",
    .group = "backup",
    .level = record::Level::error,
    .summary = "a restore ends well, and what it brings back is not what was backed up",
    .why =
        "pg_restore --clean --if-exists drops what the backup has, and nothing else: tables, columns' types "
        "and "
        "functions that the migration added stay behind, and the next attempt at the release fails on them.",
    .advice =
        "restore into a new database and put it in the place of the old one; back up all schemas with their "
        "rows",
    .bad = R"(-- release: {backups: [custom], roads: [{restore: custom, over: true}]}
CREATE TABLE loyalty_accounts (…);  -- still there after pg_restore --clean --if-exists)",
    .good = R"(-- release: {backups: [custom], roads: [{restore: custom}]}
-- createdb clinic_back; pg_restore -d clinic_back backup.dump)",
    .find = find_restore_differs,
};

}  // namespace lockkeeper::check
