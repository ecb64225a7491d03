#include <fmt/format.h>

#include "check/facts.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

std::string message_index_duplicate(const record::SchemaFact& fact) {
  return fmt::format("index {} on {} does the work of {} once more", fact.object, fact.table, fact.detail);
}

void find_index_duplicate(const record::Run& run, const scenario::Scenario&,
                          std::vector<record::Finding>& findings) {
  report_facts(run, k_index_duplicate, record::SchemaFactKind::index_duplicate, message_index_duplicate,
               findings);
}

}  // namespace

constinit const Rule k_index_duplicate{
    .id = "index-duplicate",
    .group = "schema",
    .level = record::Level::warning,
    .summary = "an index does what another one already does",
    .why =
        "Every write maintains both, the cache holds both, and no query gains. Mostly it is an index on a "
        "column that "
        "UNIQUE or PRIMARY KEY already indexes.",
    .advice = "leave it out, or drop the other one in the same migration if this is the one to keep",
    .bad = R"(-- up: UNIQUE has made an index already
ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);
CREATE INDEX users_email_idx ON users (email);
-- down
DROP INDEX users_email_idx;
ALTER TABLE users DROP CONSTRAINT users_email_key;)",
    .good = R"(-- up
ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);
-- down
ALTER TABLE users DROP CONSTRAINT users_email_key;)",
    .find = find_index_duplicate,
};

}  // namespace lockkeeper::check
