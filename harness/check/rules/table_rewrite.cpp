#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/locks.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

void find_table_rewrite(const record::Run& run, const scenario::Scenario& scenario,
                        std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    for (const NamedRun& side : runs_of(migration)) {
      if (side.run == (migration.again ? &*migration.again : nullptr)) continue;
      for (const record::StatementRecord& statement : side.run->statements) {
        for (const record::Rewrite& rewrite : statement.rewrites) {
          // SQLite has no other way for most changes, and tells no size.
          if (rewrite.how != record::StorageChange::rewritten || rewrite.bytes == 0) continue;
          if (rewrite.rows.value_or(0) == 0) continue;
          record::Finding finding = finding_of(
              k_table_rewrite, migration, side.side,
              fmt::format("{} is rewritten: {}, {} of new storage, {} of WAL, {}", rewrite.relation,
                          counted(*rewrite.rows, "row"), human_bytes(std::uint64_t(rewrite.bytes)),
                          human_bytes(statement.wal_bytes), human(statement.duration)));
          blame(finding, statement);
          if (const auto rows = rows_in_production(scenario, rewrite.relation)) {
            const double times = static_cast<double>(*rows) / static_cast<double>(*rewrite.rows);
            finding.evidence.push_back(
                fmt::format("production has {}: about {} of new storage and {} of WAL", counted(*rows, "row"),
                            human_bytes(std::uint64_t(static_cast<double>(rewrite.bytes) * times)),
                            human_bytes(std::uint64_t(static_cast<double>(statement.wal_bytes) * times))));
          }
          findings.push_back(std::move(finding));
        }
      }
    }
  }
}

}  // namespace

constinit const Rule k_table_rewrite{
    .id = "table-rewrite",
    .group = "locks and traffic",
    .level = record::Level::warning,
    .summary = "a table with rows, and all of its indexes, are written anew",
    .why =
        "The server copies every row under a lock that lets nobody in, needs the room for a second copy of "
        "table and indexes meanwhile, and sends all of it to the replicas, which fall behind.",
    .advice =
        "add a column without a default that is computed for each row, and fill it in batches; for another "
        "type, add a second column, fill it, change over and drop the first",
    .bad = R"(-- up
ALTER TABLE orders ALTER COLUMN id TYPE bigint;)",
    .good = R"(-- 0001 up; a trigger of the application's fills it for new rows
ALTER TABLE orders ADD COLUMN id_wide bigint;
-- the application fills it for the others, some thousand rows at a time; 0002 up changes over)",
    .find = find_table_rewrite,
};

}  // namespace lockkeeper::check
