#include <fmt/format.h>

#include "check/facts.h"
#include "check/identity.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

std::string message_constraint_violated(const record::SchemaFact& fact) {
  const std::string rows = fact.detail.empty() ? "" : fmt::format(": {}", fact.detail);
  return fmt::format("constraint {} on {} claims to hold, and rows break it{}", name_within(fact.object),
                     fact.table, rows);
}

void find_constraint_violated(const record::Run& run, const scenario::Scenario&,
                              std::vector<record::Finding>& findings) {
  report_facts(run, k_constraint_violated, record::SchemaFactKind::constraint_violated,
               message_constraint_violated, findings);
}

}  // namespace

constinit const Rule k_constraint_violated{
    .id = "constraint-violated",
    .group = "schema",
    .level = record::Level::error,
    .summary = "rows break a constraint that claims to hold",
    .why =
        "With triggers or replication switched off the server does not check foreign keys. Joins lose rows, "
        "pg_restore of tonight's backup fails, and the planner may give wrong answers.",
    .advice =
        "leave session_replication_role and DISABLE TRIGGER ALL out of migrations; change parents and "
        "children in "
        "an order that holds, or make the key DEFERRABLE",
    .bad = R"(-- up: the foreign keys of orders do not notice
SET LOCAL session_replication_role = replica;
DELETE FROM users WHERE deleted;
-- down
SELECT 1;)",
    .good = R"(-- up: children first; the server would say so otherwise
DELETE FROM orders USING users WHERE users.id = orders.user_id AND users.deleted;
DELETE FROM users WHERE deleted;)",
    .find = find_constraint_violated,
};

}  // namespace lockkeeper::check
