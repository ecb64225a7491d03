#include <fmt/format.h>

#include "check/facts.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

std::string message_index_invalid(const record::SchemaFact& fact) {
  return fmt::format("index {} on {} is INVALID after up: it is kept up to date, and no query uses it",
                     fact.object, fact.table);
}

void find_index_invalid(const record::Run& run, const scenario::Scenario&,
                        std::vector<record::Finding>& findings) {
  report_facts(run, k_index_invalid, record::SchemaFactKind::index_invalid, message_index_invalid, findings);
}

}  // namespace

constinit const Rule k_index_invalid{
    .id = "index-invalid",
    .group = "schema",
    .level = record::Level::error,
    .summary = "an INVALID index stays behind",
    .why =
        "A CREATE INDEX CONCURRENTLY that fails leaves its index behind: every write pays for it, no query "
        "uses it, a "
        "unique one may stop writes, and IF NOT EXISTS takes it for the real one.",
    .advice =
        "drop it and build it again: DROP INDEX CONCURRENTLY IF EXISTS before CREATE INDEX CONCURRENTLY, "
        "without IF "
        "NOT EXISTS; an index ON ONLY a partitioned table needs one attached for every partition",
    .bad = R"(-- up: no partition's index is ever attached
CREATE INDEX events_at_idx ON ONLY events (at);
-- down
DROP INDEX events_at_idx;)",
    .good = R"(-- up
CREATE INDEX events_at_idx ON ONLY events (at);
CREATE INDEX events_2026_at_idx ON events_2026 (at);
ALTER INDEX events_at_idx ATTACH PARTITION events_2026_at_idx;
-- down
DROP INDEX events_at_idx;)",
    .find = find_index_invalid,
};

}  // namespace lockkeeper::check
