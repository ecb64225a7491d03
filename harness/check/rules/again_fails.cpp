#include <fmt/format.h>

#include "check/describe.h"
#include "check/error_advice.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

/// What down did not put back is mostly why up cannot run a second time.
void name_residue(const record::MigrationRecord& migration, record::Finding& finding) {
  if (migration.down_did_nothing) {
    finding.message += "; down had done nothing before";
    finding.advice = "write a down that takes back what up did: " + finding.advice;
    return;
  }
  const record::StateDifference& residue = migration.back_difference;
  const Parted parted = part_order(residue.objects);
  if (parted.real.empty() && residue.data.empty()) return;
  finding.message += "; down had not restored everything before";
  for (const std::string& line : object_lines(parted.real, Later::after_down)) {
    finding.evidence.push_back("after down: " + line);
  }
  for (const std::string& line : data_lines(residue.data)) finding.evidence.push_back("after down: " + line);
  finding.advice = "let down restore what is listed; then up can run again";
}

void find_again_fails(const record::Run& run, const scenario::Scenario&,
                      std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    if (!migration.again || !migration.again->error) continue;
    const record::SideRun& side = *migration.again;
    record::Finding finding =
        finding_of(k_again_fails, migration, record::Side::up,
                   fmt::format("up, run again after down, stops with an error: {}", error_text(*side.error)));
    blame_error(finding, side);
    finding.advice = advice_for(*side.error, record::Side::up, finding.statement);
    name_residue(migration, finding);
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_again_fails{
    .id = "again-fails",
    .group = "round trip",
    .level = record::Level::error,
    .summary = "up stops with an error when it is run again after down",
    .why =
        "After a rollback the release is repaired and deployed again. What the down left behind (a type, a "
        "row, a "
        "role) then stands in the way, in production only.",
    .advice = "let down remove all that up made: types, functions, rows and roles too",
    .bad = R"(-- up
CREATE TYPE mood AS ENUM ('happy', 'sad');
ALTER TABLE users ADD COLUMN mood mood;
-- down: the type stays, CREATE TYPE fails the second time (42710)
ALTER TABLE users DROP COLUMN mood;)",
    .good = R"(-- up
CREATE TYPE mood AS ENUM ('happy', 'sad');
ALTER TABLE users ADD COLUMN mood mood;
-- down
ALTER TABLE users DROP COLUMN mood;
DROP TYPE mood;)",
    .find = find_again_fails,
};

}  // namespace lockkeeper::check
