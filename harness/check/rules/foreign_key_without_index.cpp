#include <fmt/format.h>

#include "check/facts.h"
#include "check/identity.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

std::string message_foreign_key_without_index(const record::SchemaFact& fact) {
  const std::string columns = fact.detail.empty() ? "" : fmt::format(" ({})", fact.detail);
  return fmt::format("foreign key {} on {}{} has no index that begins with its columns",
                     name_within(fact.object), fact.table, columns);
}

void find_foreign_key_without_index(const record::Run& run, const scenario::Scenario&,
                                    std::vector<record::Finding>& findings) {
  report_facts(run, k_foreign_key_without_index, record::SchemaFactKind::foreign_key_without_index,
               message_foreign_key_without_index, findings);
}

}  // namespace

constinit const Rule k_foreign_key_without_index{
    .id = "foreign-key-without-index",
    .group = "schema",
    .level = record::Level::warning,
    .summary = "a foreign key that the trial adds has no index on its columns",
    .why =
        "PostgreSQL indexes the side that is referred to, not the one that refers. Every DELETE or key "
        "UPDATE of a "
        "parent then reads the whole child table, under a lock.",
    .advice = "create an index that begins with the columns of the key",
    .bad = R"(-- up
ALTER TABLE orders ADD COLUMN plan_id int REFERENCES plans;
-- down
ALTER TABLE orders DROP COLUMN plan_id;)",
    .good = R"(-- up
ALTER TABLE orders ADD COLUMN plan_id int REFERENCES plans;
CREATE INDEX orders_plan_id_idx ON orders (plan_id);
-- down: the index goes with the column
ALTER TABLE orders DROP COLUMN plan_id;)",
    .find = find_foreign_key_without_index,
};

}  // namespace lockkeeper::check
