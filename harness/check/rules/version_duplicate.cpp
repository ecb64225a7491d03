#include <fmt/format.h>

#include "check/facts.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

std::string message_version_duplicate(const record::HistoryFact& fact) {
  return fact.detail;
}

void find_version_duplicate(const record::Run& run, const scenario::Scenario&,
                            std::vector<record::Finding>& findings) {
  report_history(run, k_version_duplicate, {record::HistoryFactKind::version_duplicate},
                 message_version_duplicate, findings);
}

}  // namespace

constinit const Rule k_version_duplicate{
    .id = "version-duplicate",
    .group = "history",
    .level = record::Level::error,
    .summary = "two migrations have the same version",
    .why =
        "Two branches that each add \"the next\" migration merge without a conflict. Most tools then "
        "refuse to run at all, some run one of the two and never the other.",
    .advice = "give the newer one a version of its own, and its down side too",
    .bad = R"(-- 0002_add_phone.up.sql
ALTER TABLE users ADD COLUMN phone text;
-- 0002_add_city.up.sql
ALTER TABLE users ADD COLUMN city text;)",
    .good = R"(-- 0002_add_phone.up.sql
ALTER TABLE users ADD COLUMN phone text;
-- 0003_add_city.up.sql
ALTER TABLE users ADD COLUMN city text;)",
    .find = find_version_duplicate,
};

}  // namespace lockkeeper::check
