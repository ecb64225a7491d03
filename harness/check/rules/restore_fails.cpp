#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "check/describe.h"
#include "check/finding.h"
#include "check/release.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

void add_runs(const std::vector<record::ToolRun>& runs, record::Finding& finding) {
  for (const record::ToolRun& run : runs) {
    finding.evidence.push_back(
        fmt::format("{}: {}, {}", run.command, run.status, counted(run.errors, "error")));
    for (const std::string& said : run.said) finding.evidence.push_back(said);
  }
}

bool told_errors(const record::ToolRun& run) {
  return !run.clean();
}

void find_in_proofs(const record::Release& release, const scenario::Scenario& scenario,
                    std::vector<record::Finding>& findings) {
  for (const record::Backup& backup : release.backups) {
    const bool readable = !backup.made.failed && backup.listed && !backup.listed->failed;
    if (!readable || !backup.restored || !told_errors(*backup.restored)) continue;
    record::Finding finding = finding_of(
        k_restore_fails,
        fmt::format("backup '{}' cannot be restored, not even into an empty database", backup.name));
    finding.location = place_of(scenario, backup.name);
    add_runs({*backup.restored}, finding);
    findings.push_back(std::move(finding));
  }
}

void find_in_roads(const record::Release& release, const scenario::Scenario& scenario,
                   std::vector<record::Finding>& findings) {
  for (const record::Road& road : release.roads) {
    const bool told = std::any_of(road.runs.begin(), road.runs.end(), told_errors);
    const bool broken = road.error || told;
    const bool lost_for_good = !broken && road.again && told_errors(*road.again);
    if (unproved(release, road.backup) != nullptr) continue;
    if (!road.named || (!broken && !lost_for_good && road.noticed)) continue;
    std::string message =
        broken ? fmt::format("the way back '{}' fails", road.name)
        : lost_for_good
            ? fmt::format("the way back '{}' cannot be taken again once {}", road.name, road.broken_by)
            : fmt::format("the way back '{}' says that it went well although {}", road.name, road.broken_by);
    const bool quiet =
        broken && !road.error &&
        std::none_of(road.runs.begin(), road.runs.end(), [](const auto& run) { return run.failed; });
    if (quiet) message += ", and its program ends as if it had not";
    record::Finding finding = finding_of(k_restore_fails, std::move(message));
    finding.location = place_of(scenario, road);
    if (road.error) {
      const std::string where = road.stopped_at.empty() ? "" : "down of " + road.stopped_at + ": ";
      finding.evidence.push_back(where + error_text(*road.error));
    }
    add_runs(road.runs, finding);
    if (lost_for_good) add_runs({*road.again}, finding);
    for (std::string& line : object_lines(road.difference.objects, Later::after_down)) {
      if (finding.evidence.size() < 20) finding.evidence.push_back(std::move(line));
    }
    findings.push_back(std::move(finding));
  }
}

void find_in_answers(const record::Release& release, std::vector<record::Finding>& findings) {
  for (const record::FailedRelease& failure : release.failures) {
    const bool told = std::any_of(failure.runs.begin(), failure.runs.end(), told_errors);
    if (!failure.answer_error && !told) continue;
    record::Finding finding =
        finding_of(k_restore_fails, fmt::format("when {} is stopped in its middle, the answer '{}' fails",
                                                failure.migration, failure.answer));
    finding.migration = failure.migration;
    finding.statement = abridged(failure.before);
    finding.location = failure.location;
    if (failure.answer_error) finding.evidence.push_back(error_text(*failure.answer_error));
    add_runs(failure.runs, finding);
    findings.push_back(std::move(finding));
    return;  // the others fail for the same reason
  }
}

void find_restore_fails(const record::Run& run, const scenario::Scenario& scenario,
                        std::vector<record::Finding>& findings) {
  if (!run.release) return;
  find_in_proofs(*run.release, scenario, findings);
  find_in_roads(*run.release, scenario, findings);
  find_in_answers(*run.release, findings);
}

}  // namespace

constinit const Rule k_restore_fails{
    .id = "restore-fails",
    .group = "backup",
    .level = record::Level::error,
    .summary = "a way back that the runbook relies on fails when it is taken",
    .why =
        "A plain dump fed to a database that still has its tables fails on the first of them, and psql goes "
        "on and "
        "ends as if all were well: half of the old rows stand beside half of the new ones.",
    .advice =
        "restore into a new database and put it in the place of the old one; let psql stop at the first "
        "error "
        "(-v ON_ERROR_STOP=1)",
    .bad = R"(-- release: {backups: [plain], roads: [{restore: plain, over: true}]}
-- psql -f backup.sql clinic: relation "pets" already exists, …)",
    .good = R"(-- release: {backups: [plain], roads: [{restore: plain}]}
-- createdb clinic_back; psql -v ON_ERROR_STOP=1 -f backup.sql clinic_back)",
    .find = find_restore_fails,
};

}  // namespace lockkeeper::check
