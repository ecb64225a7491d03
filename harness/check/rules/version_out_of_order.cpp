#include <fmt/format.h>

#include "check/facts.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

std::string message_version_out_of_order(const record::HistoryFact& fact) {
  return fmt::format("version {} {}", fact.migration, fact.detail);
}

void find_version_out_of_order(const record::Run& run, const scenario::Scenario&,
                               std::vector<record::Finding>& findings) {
  report_history(run, k_version_out_of_order, {record::HistoryFactKind::version_out_of_order},
                 message_version_out_of_order, findings);
}

}  // namespace

constinit const Rule k_version_out_of_order{
    .id = "version-out-of-order",
    .group = "history",
    .level = record::Level::error,
    .summary = "a new migration stands before one that production has",
    .why =
        "A branch that lived long brings a version that is lower than what was merged meanwhile. Some "
        "tools skip it without a word on every database that is past it, some refuse to go on, some "
        "run it in another order than a fresh database does.",
    .advice = "give it a version above all that the base has, as the tool itself would today",
    .bad = R"(-- production has 0001 and 0003; this branch adds 0002
ALTER TABLE users ADD COLUMN phone text;)",
    .good = R"(-- production has 0001 and 0003; this branch adds 0004
ALTER TABLE users ADD COLUMN phone text;)",
    .find = find_version_out_of_order,
};

}  // namespace lockkeeper::check
