#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

/// What stood in a table or column that up itself brought goes with it, as everybody expects.
bool goes_with_its_place(const record::Write& write) {
  return write.lost.starts_with("the table ") || write.lost.starts_with("the column ");
}

void find_rollback_loses_writes(const record::Run& run, const scenario::Scenario&,
                                std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    std::vector<std::string> lines;
    const record::Write* first = nullptr;
    for (const record::Write& write : migration.writes) {
      if (write.lost.empty() || goes_with_its_place(write)) continue;
      if (first == nullptr) first = &write;
      lines.push_back(fmt::format("{} in {}{}: {}", write.what, write.table,
                                  write.key.empty() ? "" : " (" + write.key + ")", write.lost));
    }
    if (first == nullptr) continue;
    record::Finding finding =
        finding_of(k_rollback_loses_writes, migration, record::Side::down,
                   fmt::format("down takes what was written since: {}{}", first->lost,
                               lines.size() > 1 ? fmt::format(", and {} more", lines.size() - 1) : ""));
    blame_naming(finding, migration.back, {{first->table, ""}});
    finding.evidence = std::move(lines);
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_rollback_loses_writes{
    .id = "rollback-loses-writes",
    .group = "later rollback",
    .level = record::Level::warning,
    .summary = "after such writes down runs, but rows or values in what was there before are gone",
    .why =
        "What people entered between the release and the rollback is lost without a word, and no backup from "
        "before the release has it.",
    .advice =
        "copy what down takes away to a table that stays, or let down refuse while there is something to "
        "lose",
    .bad = R"(-- up
ALTER TABLE payments ALTER COLUMN customer_id DROP NOT NULL;
-- down
DELETE FROM payments WHERE customer_id IS NULL;
ALTER TABLE payments ALTER COLUMN customer_id SET NOT NULL;)",
    .good = R"(-- down
UPDATE payments SET customer_id = 1 WHERE customer_id IS NULL;  -- 1: 'unknown', made by up
ALTER TABLE payments ALTER COLUMN customer_id SET NOT NULL;)",
    .find = find_rollback_loses_writes,
};

}  // namespace lockkeeper::check
