#include <fmt/format.h>

#include "check/error_advice.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

void find_down_fails(const record::Run& run, const scenario::Scenario&,
                     std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    if (!migration.back || !migration.back->error) continue;
    const record::SideRun& side = *migration.back;
    record::Finding finding =
        finding_of(k_down_fails, migration, record::Side::down,
                   fmt::format("down stops with an error: {}", error_text(*side.error)));
    blame_error(finding, side);
    finding.advice = advice_for(*side.error, record::Side::down, finding.statement);
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_down_fails{
    .id = "down-fails",
    .group = "round trip",
    .level = record::Level::error,
    .summary = "down stops with an error",
    .why =
        "A rollback is run in the worst hour of the year, and nobody has tried it since it was written. A "
        "down that "
        "fails leaves the new schema under the old release.",
    .advice = "undo in the reverse order of up, with the names that up left behind",
    .bad = R"(-- up
CREATE TABLE plans (id int PRIMARY KEY);
ALTER TABLE users ADD COLUMN plan_id int REFERENCES plans;
-- down: users still refers to plans (2BP01)
DROP TABLE plans;
ALTER TABLE users DROP COLUMN plan_id;)",
    .good = R"(-- up
CREATE TABLE plans (id int PRIMARY KEY);
ALTER TABLE users ADD COLUMN plan_id int REFERENCES plans;
-- down: last made, first dropped
ALTER TABLE users DROP COLUMN plan_id;
DROP TABLE plans;)",
    .find = find_down_fails,
};

}  // namespace lockkeeper::check
