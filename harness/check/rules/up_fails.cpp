#include <fmt/format.h>

#include "check/error_advice.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

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
