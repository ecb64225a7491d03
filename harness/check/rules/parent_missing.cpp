#include <fmt/format.h>

#include "check/facts.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

std::string message_parent_missing(const record::HistoryFact& fact) {
  return fact.detail;
}

void find_parent_missing(const record::Run& run, const scenario::Scenario&,
                         std::vector<record::Finding>& findings) {
  report_history(run, k_parent_missing, {record::HistoryFactKind::parent_missing}, message_parent_missing,
                 findings);
}

}  // namespace

constinit const Rule k_parent_missing{
    .id = "parent-missing",
    .group = "history",
    .level = record::Level::error,
    .summary = "a revision follows one that is not there",
    .why =
        "The tool cannot order the history and stops before it has done anything: a file was renamed, "
        "deleted, or never committed.",
    .advice = "bring the missing revision back, or correct down_revision",
    .bad = R"(-- 002 says that it follows 00l
ALTER TABLE users ADD COLUMN phone text;)",
    .good = R"(-- 002 says that it follows 001
ALTER TABLE users ADD COLUMN phone text;)",
    .find = find_parent_missing,
};

}  // namespace lockkeeper::check
