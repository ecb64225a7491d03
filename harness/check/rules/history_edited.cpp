#include <fmt/format.h>

#include "check/facts.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

std::string message_history_edited(const record::HistoryFact& fact) {
  return fact.migration.empty() ? fact.detail : fmt::format("version {}: {}", fact.migration, fact.detail);
}

void find_history_edited(const record::Run& run, const scenario::Scenario&,
                         std::vector<record::Finding>& findings) {
  report_history(run, k_history_edited,
                 {record::HistoryFactKind::edited, record::HistoryFactKind::checksum_differs},
                 message_history_edited, findings);
}

}  // namespace

constinit const Rule k_history_edited{
    .id = "history-edited",
    .group = "history",
    .level = record::Level::error,
    .summary = "a migration that production has is another one now",
    .why =
        "Databases that have run it keep what it was; new ones get what it is. From then on no two of "
        "them need be alike, and tools that keep checksums refuse to go on.",
    .advice = "leave it as it was, and make the change in a new migration",
    .bad = R"(-- 0001, which production has, with another type than it had
CREATE TABLE users (id bigint PRIMARY KEY, name varchar(40));)",
    .good = R"(-- 0002, a new migration
ALTER TABLE users ALTER COLUMN name TYPE varchar(40);)",
    .find = find_history_edited,
};

}  // namespace lockkeeper::check
