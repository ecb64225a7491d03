#include <fmt/format.h>

#include "base/text.h"
#include "check/describe.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

void find_not_rerunnable(const record::Run& run, const scenario::Scenario&,
                         std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    if (!migration.second_run) continue;
    const auto& difference = migration.second_run_difference;
    const auto& error = migration.second_run->error;
    if (!error && difference.empty()) continue;
    std::vector<std::string> parts;
    if (error) parts.push_back("fails: " + error_text(*error));
    if (!difference.objects.empty()) parts.push_back(object_summary(difference.objects, Later::after_up));
    if (!difference.data.empty()) parts.push_back("other data in " + data_summary(difference.data));
    record::Finding finding =
        finding_of(k_not_rerunnable, migration, record::Side::up,
                   fmt::format("up, started once more after it succeeded, {}{}",
                               error ? "" : "changes the database again: ", join(parts, "; ")));
    if (!migration.claims_rerunnable) finding.level = record::Level::note;
    if (error && !error->detail.empty()) finding.evidence.push_back(abridged(error->detail, 300));
    for (std::string& line : object_lines(difference.objects, Later::after_up))
      finding.evidence.push_back(std::move(line));
    for (std::string& line : data_lines(difference.data)) finding.evidence.push_back(std::move(line));
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_not_rerunnable{
    .id = "not-rerunnable",
    .group = "interruption",
    .level = record::Level::error,
    .summary =
        "a second run after success fails or changes something (a note where nobody claims that it may be "
        "run twice)",
    .why =
        "A script has no table of versions that keeps it from being started twice: by a second person, or by "
        "the "
        "same one who is not sure whether the first run got through.",
    .advice =
        "look for what is there already before making it, and change only rows that are not yet as they "
        "should be",
    .bad = R"py(# fails where the column is there
db.execute("ALTER TABLE payment ADD COLUMN split_loan_id INTEGER"))py",
    .good = R"py(# looks first
if "split_loan_id" not in columns(db, "payment"):
    db.execute("ALTER TABLE payment ADD COLUMN split_loan_id INTEGER"))py",
    .find = find_not_rerunnable,
};

}  // namespace lockkeeper::check
