#include <fmt/format.h>

#include "check/error_advice.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

/// Alone it passes; with the others in one transaction, as its tool runs them, it does not.
void find_together(const record::Run& run, std::vector<record::Finding>& findings) {
  const record::TogetherRecord& together = run.together;
  if (!together.error) return;
  const record::MigrationRecord* migration = migration_of(run, together.stops_at);
  const std::string message = fmt::format(
      "in one transaction with the others of the trial, as {} runs all that is pending, up stops: {}",
      run.format, error_text(*together.error));
  record::Finding finding = migration != nullptr
                                ? finding_of(k_up_fails, *migration, record::Side::up, message)
                                : finding_of(k_up_fails, message);
  finding.migration = together.stops_at;
  if (together.error_location) finding.location = together.error_location;
  finding.advice = advice_for(*together.error, record::Side::up, finding.statement);
  findings.push_back(std::move(finding));
}

void find_up_fails(const record::Run& run, const scenario::Scenario&,
                   std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    if (!migration.forward || !migration.forward->error) continue;
    const record::SideRun& side = *migration.forward;
    record::Finding finding = finding_of(k_up_fails, migration, record::Side::up,
                                         fmt::format("up stops with an error: {}", error_text(*side.error)));
    blame_error(finding, side);
    finding.advice = advice_for(*side.error, record::Side::up, finding.statement);
    findings.push_back(std::move(finding));
  }
  find_together(run, findings);
}

}  // namespace

constinit const Rule k_up_fails{
    .id = "up-fails",
    .group = "round trip",
    .level = record::Level::error,
    .summary = "up stops with an error",
    .why =
        "The deployment stops at this statement. What fails only where there are rows passes every test on "
        "an empty "
        "database: a NOT NULL column without a default, a unique index over duplicates, a foreign key over "
        "orphans.",
    .advice = "correct the statement, or repair the rows that it fails on earlier in the same migration",
    .bad = R"(-- up: fails as soon as one user exists
ALTER TABLE users ADD COLUMN phone text NOT NULL;
-- down
ALTER TABLE users DROP COLUMN phone;)",
    .good = R"(-- up: fill first, then demand
ALTER TABLE users ADD COLUMN phone text;
UPDATE users SET phone = 'unknown';
ALTER TABLE users ALTER COLUMN phone SET NOT NULL;
-- down
ALTER TABLE users DROP COLUMN phone;)",
    .find = find_up_fails,
};

}  // namespace lockkeeper::check
