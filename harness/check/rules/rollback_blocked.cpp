#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

std::string outcome_of(const record::Rescue& rescue) {
  return rescue.error ? "does not help: " + error_text(*rescue.error) : "down runs then";
}

void find_rollback_blocked(const record::Run& run, const scenario::Scenario&,
                           std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    for (const record::Write& write : migration.writes) {
      if (!write.stops_down) continue;
      const std::string where = write.table.empty() ? std::string() : " in " + write.table;
      record::Finding finding = finding_of(
          k_rollback_blocked, migration, record::Side::down,
          fmt::format("down stops once somebody has written {}{}{}: {}", write.what, where,
                      write.key.empty() ? "" : " (" + write.key + ")", error_text(*write.stops_down)));
      // Down refuses by itself, which is better than to lose rows, and no accident.
      if (write.stops_down->context.find(" at RAISE") != std::string::npos)
        finding.level = record::Level::warning;
      if (write.location) finding.location = write.location;
      finding.statement = abridged(write.statement, 120);
      finding.evidence.push_back("written: " + abridged(write.sql, 300));
      if (!write.stops_down->detail.empty())
        finding.evidence.push_back("detail: " + write.stops_down->detail);
      for (const record::Rescue& rescue : write.rescues) {
        finding.evidence.push_back(
            fmt::format("{}, {}: {}", rescue.what, abridged(rescue.sql, 300), outcome_of(rescue)));
      }
      finding.evidence.emplace_back("or keep what was written, and do not go back");
      findings.push_back(std::move(finding));
    }
  }
}

}  // namespace

constinit const Rule k_rollback_blocked{
    .id = "rollback-blocked",
    .group = "later rollback",
    .level = record::Level::error,
    .summary =
        "after writes that only the new schema lets in, down fails (a warning where it refuses by a RAISE of "
        "its "
        "own)",
    .why =
        "Down is tried on the database as up left it, and works; an hour after the release the first order "
        "without a customer is in, and it works no more, in the night in which it is needed.",
    .advice =
        "let down say first what becomes of such rows (a value for them, an archive, an error that names "
        "them), "
        "or say that there is no way back once they are written",
    .bad = R"(-- up
ALTER TABLE payments ALTER COLUMN customer_id DROP NOT NULL;
-- down
ALTER TABLE payments ALTER COLUMN customer_id SET NOT NULL;)",
    .good = R"(-- down
UPDATE payments SET customer_id = 1 WHERE customer_id IS NULL;  -- 1: 'unknown', made by up
ALTER TABLE payments ALTER COLUMN customer_id SET NOT NULL;)",
    .find = find_rollback_blocked,
};

}  // namespace lockkeeper::check
