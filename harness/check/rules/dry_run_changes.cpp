#include <fmt/format.h>

#include "base/text.h"
#include "check/describe.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

void judge_dry_run_change(const record::MigrationRecord& migration,
                          const std::optional<record::DryRun>& dry_run, std::string_view when,
                          std::vector<record::Finding>& findings) {
  if (!dry_run || (dry_run->change.empty() && !dry_run->bytes_changed)) return;
  const bool bytes_alone = dry_run->change.empty();
  std::vector<std::string> parts;
  if (!dry_run->change.objects.empty())
    parts.push_back(object_summary(dry_run->change.objects, Later::after_up));
  if (!dry_run->change.data.empty()) parts.push_back("other data in " + data_summary(dry_run->change.data));
  if (bytes_alone) parts.emplace_back("the file has other bytes, though it holds the same");
  record::Finding finding =
      finding_of(k_dry_run_changes, migration, record::Side::up,
                 fmt::format("the dry run {} changes the database: {}", when, join(parts, "; ")));
  finding.statement = dry_run->command;
  finding.evidence = object_lines(dry_run->change.objects, Later::after_up);
  for (std::string& line : data_lines(dry_run->change.data)) finding.evidence.push_back(std::move(line));
  findings.push_back(std::move(finding));
}

void find_dry_run_changes(const record::Run& run, const scenario::Scenario&,
                          std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    judge_dry_run_change(migration, migration.dry_run, "before up", findings);
    judge_dry_run_change(migration, migration.dry_run_after, "after up", findings);
  }
}

}  // namespace

constinit const Rule k_dry_run_changes{
    .id = "dry-run-changes",
    .group = "dry run",
    .level = record::Level::error,
    .summary = "a dry run changes the database",
    .why =
        "A dry run is what people start on production without a backup and without stopping the application, "
        "since "
        "it is said to do nothing.",
    .advice =
        "open the database read-only for a dry run (SQLite: file:…?mode=ro; PostgreSQL: SET TRANSACTION READ "
        "ONLY), "
        "and make nothing before it is known which kind of run this is",
    .bad = R"py(# the log is there before it is known that this is a dry run
def main(dry_run):
    db = connect()
    db.execute("CREATE TABLE IF NOT EXISTS migration_log (name text)")
    if dry_run:
        print("would create cashback"))py",
    .good = R"py(# a dry run cannot write
def main(dry_run):
    db = connect(read_only=dry_run)
    if dry_run:
        print("would create cashback"))py",
    .find = find_dry_run_changes,
};

}  // namespace lockkeeper::check
