#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

record::Finding untrue(const record::MigrationRecord& migration, const record::DryRun& dry_run,
                       std::string message) {
  record::Finding finding = finding_of(k_dry_run_untrue, migration, record::Side::up, std::move(message));
  finding.statement = dry_run.command;
  for (const std::string& line : split(dry_run.output, '\n')) {
    constexpr std::size_t k_shown = 10;
    if (finding.evidence.size() == k_shown) {
      finding.evidence.emplace_back("…");
      break;
    }
    if (!trimmed(line).empty()) finding.evidence.push_back("it says: " + abridged(line, 200));
  }
  return finding;
}

void judge_dry_runs(const record::MigrationRecord& migration, std::vector<record::Finding>& findings) {
  const record::DryRun& before = *migration.dry_run;
  const bool up_worked = migration.forward && !migration.forward->error;
  if (before.error && up_worked) {
    findings.push_back(
        untrue(migration, before,
               fmt::format("the dry run fails where the real run succeeds: {}", before.error->message)));
  } else if (!migration.unannounced.empty()) {
    findings.push_back(untrue(migration, before,
                              fmt::format("the dry run does not name all that the real run does: {}",
                                          join(migration.unannounced, ", "))));
  }
  if (!migration.dry_run_after) return;
  const record::DryRun& after = *migration.dry_run_after;
  if (after.error && !before.error) {
    findings.push_back(untrue(migration, after,
                              fmt::format("after the real run the dry run fails: {}", after.error->message)));
  } else if (!migration.forward_change.empty() && !before.error && after.output == before.output) {
    findings.push_back(untrue(migration, after, "after the real run the dry run says the same as before it"));
  }
}

void find_dry_run_untrue(const record::Run& run, const scenario::Scenario&,
                         std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    if (migration.dry_run) judge_dry_runs(migration, findings);
  }
}

}  // namespace

constinit const Rule k_dry_run_untrue{
    .id = "dry-run-untrue",
    .group = "dry run",
    .level = record::Level::error,
    .summary = "a dry run does not say what the real run does, or goes on saying it afterwards",
    .why =
        "Whoever approves the change has read the dry run. What it does not name comes as a surprise, and "
        "one that "
        "says the same for ever cannot tell whether the migration is done.",
    .advice =
        "let the dry run look at the database, and name each table, column and index that is still to be "
        "made, and "
        "what is there already",
    .bad = R"py(# says nothing of what is there
if dry_run:
    print("would migrate the database"))py",
    .good = R"py(# looks, and names each
for table in TABLES:
    print(table, "already exists" if exists(db, table) else "would be created"))py",
    .find = find_dry_run_untrue,
};

}  // namespace lockkeeper::check
