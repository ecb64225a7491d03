#include <algorithm>

#include <fmt/format.h>

#include "check/describe.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

/// Rows that up made and down leaves, and nothing else.
bool only_left_behind(const std::vector<record::DataDifference>& data) {
  return std::all_of(data.begin(), data.end(), [](const record::DataDifference& difference) {
    return difference.change == record::DataChange::table_rows && difference.rows_added.value_or(0) > 0 &&
           difference.rows_lost == 0 && difference.rows_changed.value_or(0) == 0;
  });
}

void find_data_not_restored(const record::Run& run, const scenario::Scenario&,
                            std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    if (migration.down_did_nothing) continue;
    const auto& data = migration.back_difference.data;
    if (data.empty()) continue;
    record::Finding finding =
        finding_of(k_data_not_restored, migration, record::Side::down,
                   fmt::format("after down the data is not what it was before up: {}", data_summary(data)));
    finding.evidence = data_lines(data);
    if (only_left_behind(data)) {
      finding.advice =
          "delete in the down the rows that up inserted, by the keys that up gave them: left behind, they "
          "stand in the "
          "way when up runs again";
    }
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_data_not_restored{
    .id = "data-not-restored",
    .group = "round trip",
    .level = record::Level::error,
    .summary = "after down, rows or values that were there before up are gone or changed",
    .why =
        "The schema looks restored, and a diff of dumps without rows says so; but the column that came back "
        "is empty.",
    .advice =
        "keep the old values until the release cannot be rolled back any more: copy them to a table or "
        "column of "
        "their own in up and back in down, or drop them in a later release",
    .bad = R"(-- up
ALTER TABLE users DROP COLUMN phone;
-- down: the column comes back, its values do not
ALTER TABLE users ADD COLUMN phone text;)",
    .good = R"(-- up: no longer used, but still there; a later release drops it
ALTER TABLE users RENAME COLUMN phone TO phone_unused;
-- down
ALTER TABLE users RENAME COLUMN phone_unused TO phone;)",
    .find = find_data_not_restored,
};

}  // namespace lockkeeper::check
