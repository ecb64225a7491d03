#include <fmt/format.h>

#include "base/text.h"
#include "check/describe.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

void find_again_differs(const record::Run& run, const scenario::Scenario&,
                        std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    const Parted parted = part_order(migration.again_difference.objects);
    const auto& data = migration.again_difference.data;
    if (parted.real.empty() && data.empty()) continue;
    std::vector<std::string> parts;
    if (!parted.real.empty()) parts.push_back(object_summary(parted.real, Later::after_up));
    if (!data.empty()) parts.push_back("other data in " + data_summary(data));
    record::Finding finding = finding_of(
        k_again_differs, migration, record::Side::up,
        fmt::format("up, run again after down, ends otherwise than the first time: {}", join(parts, "; ")));
    finding.evidence = object_lines(parted.real, Later::after_up);
    for (std::string& line : data_lines(data)) finding.evidence.push_back(std::move(line));
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_again_differs{
    .id = "again-differs",
    .group = "round trip",
    .level = record::Level::error,
    .summary = "up, run again after down, ends in another state than the first time",
    .why =
        "After a rollback and a second deployment production has a schema that no other database has. IF NOT "
        "EXISTS "
        "hides it: the second up reports success over what the down left half-way.",
    .advice =
        "compare what is listed with what down leaves: let down remove or restore it, and let up create it "
        "without "
        "IF NOT EXISTS",
    .bad = R"(-- up
CREATE TABLE IF NOT EXISTS settings (name text PRIMARY KEY, value text);
-- down: keeps the table "to be safe"; the second up then skips it, and value is gone for good
ALTER TABLE settings DROP COLUMN value;)",
    .good = R"(-- up
CREATE TABLE settings (name text PRIMARY KEY, value text);
-- down
DROP TABLE settings;)",
    .find = find_again_differs,
};

}  // namespace lockkeeper::check
