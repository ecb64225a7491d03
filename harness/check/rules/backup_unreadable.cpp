#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "check/describe.h"
#include "check/finding.h"
#include "check/release.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

void find_backup_unreadable(const record::Run& run, const scenario::Scenario& scenario,
                            std::vector<record::Finding>& findings) {
  if (!run.release) return;
  for (const record::Backup& backup : run.release->backups) {
    const auto report = [&](std::string message, const std::vector<std::string>& said) {
      record::Finding finding = finding_of(k_backup_unreadable, std::move(message));
      finding.location = place_of(scenario, backup.name);
      finding.evidence.push_back(backup.made.command);
      finding.evidence.insert(finding.evidence.end(), said.begin(), said.end());
      findings.push_back(std::move(finding));
    };
    if (backup.made.failed) {
      report(fmt::format("backup '{}' cannot be made: {}", backup.name, backup.made.status),
             backup.made.said);
    } else if (backup.sha256.empty()) {
      report(
          fmt::format("backup '{}' leaves no file, and whoever made it says that it went well", backup.name),
          {});
    } else if (backup.bytes == 0) {
      report(fmt::format("backup '{}' is empty, and whoever made it says that it went well", backup.name),
             {});
    } else if (backup.listed && backup.listed->failed) {
      report(fmt::format("backup '{}' cannot be read back", backup.name), backup.listed->said);
    } else if (backup.without_room && !backup.without_room->failed) {
      report(
          fmt::format("backup '{}' says that it went well when the disk is full in its middle", backup.name),
          {});
    }
  }
}

}  // namespace

constinit const Rule k_backup_unreadable{
    .id = "backup-unreadable",
    .group = "backup",
    .level = record::Level::error,
    .summary = "a backup of the release is not made, is empty, or cannot be read back",
    .why =
        "A backup that nobody has read is a hope. It is opened for the first time at night, after the "
        "release has "
        "failed, when there is no other way back.",
    .advice =
        "let the command that makes the backup fail where any part of it fails (set -o pipefail), and read "
        "it "
        "back before the release goes on",
    .bad =
        R"(-- release: {backups: [{name: nightly, command: 'pg_dump -Fc {database} | head -c 4000 > {file}'}]}
-- the pipe ends well, the archive is cut off)",
    .good = R"(-- release: {backups: [custom]}
-- pg_dump --format=custom, read back by pg_restore --list)",
    .find = find_backup_unreadable,
};

}  // namespace lockkeeper::check
