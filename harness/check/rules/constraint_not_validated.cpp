#include <fmt/format.h>

#include "check/facts.h"
#include "check/identity.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

std::string message_constraint_not_validated(const record::SchemaFact& fact) {
  return fmt::format("constraint {} on {} is NOT VALID after up: rows from before are not held to it",
                     name_within(fact.object), fact.table);
}

void find_constraint_not_validated(const record::Run& run, const scenario::Scenario&,
                                   std::vector<record::Finding>& findings) {
  report_facts(run, k_constraint_not_validated, record::SchemaFactKind::constraint_not_validated,
               message_constraint_not_validated, findings);
}

}  // namespace

constinit const Rule k_constraint_not_validated{
    .id = "constraint-not-validated",
    .group = "schema",
    .level = record::Level::warning,
    .summary = "a NOT VALID constraint stays behind",
    .why =
        "NOT VALID is the right first half: it takes its lock only for a moment. Without the second half the "
        "old rows "
        "may break the constraint for ever, and the planner cannot rely on it.",
    .advice =
        "validate it in a later migration, in a transaction of its own: ALTER TABLE … VALIDATE CONSTRAINT …; "
        "that "
        "lets readers and writers go on",
    .bad = R"(-- up, and no migration ever validates it
ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0) NOT VALID;
-- down
ALTER TABLE orders DROP CONSTRAINT orders_total_check;)",
    .good = R"(-- 1 up
ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0) NOT VALID;
-- 2 up, in a transaction of its own
ALTER TABLE orders VALIDATE CONSTRAINT orders_total_check;)",
    .find = find_constraint_not_validated,
};

}  // namespace lockkeeper::check
