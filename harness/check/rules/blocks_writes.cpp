#include "check/locks.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

void find_blocks_writes(const record::Run& run, const scenario::Scenario& scenario,
                        std::vector<record::Finding>& findings) {
  report_stalls(run, scenario, k_blocks_writes, Stops::writers, findings);
  report_traffic(run, scenario, k_blocks_writes, Stops::writers, findings);
  report_file_locks(run, scenario, k_blocks_writes, Stops::writers, findings);
}

}  // namespace

constinit const Rule k_blocks_writes{
    .id = "blocks-writes",
    .group = "locks and traffic",
    .level = record::Level::error,
    .summary =
        "nobody else can write to a table while the migration reads all of it; SQLite: for longer than is "
        "allowed",
    .why =
        "Orders, logins and jobs wait for as long as the work takes, and the work grows with the table. What "
        "waits longer than its own limit fails. On SQLite the first statement that writes locks the whole "
        "file "
        "for all other writers, until the COMMIT: 'database is locked'.",
    .advice =
        "keep what takes long out of the transaction that holds the lock; on SQLite, change large tables in "
        "batches, each in a transaction of its own; where production's table is small, say so: production: "
        "{rows: {settings: 200}}",
    .bad = R"(-- up, in one transaction: no order is taken until the index stands
CREATE INDEX orders_placed_at ON orders (placed_at);)",
    .good = R"(-- up, alone in its file, outside of a transaction
CREATE INDEX CONCURRENTLY orders_placed_at ON orders (placed_at);)",
    .find = find_blocks_writes,
};

}  // namespace lockkeeper::check
