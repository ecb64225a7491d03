#include "check/locks.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

void find_blocks_reads(const record::Run& run, const scenario::Scenario& scenario,
                       std::vector<record::Finding>& findings) {
  report_stalls(run, scenario, k_blocks_reads, Stops::everybody, findings);
  report_traffic(run, scenario, k_blocks_reads, Stops::everybody, findings);
  report_file_locks(run, scenario, k_blocks_reads, Stops::everybody, findings);
}

}  // namespace

constinit const Rule k_blocks_reads{
    .id = "blocks-reads",
    .group = "locks and traffic",
    .level = record::Level::error,
    .summary =
        "nobody else can read a table while the migration reads or rewrites all of it; SQLite: for longer "
        "than "
        "is allowed",
    .why =
        "The lock lasts as long as the work, and the work grows with the table: milliseconds on a test "
        "database are minutes in production. Every page that reads the table hangs, the pool of connections "
        "fills with those that wait, and soon pages hang that never read it. On SQLite a commit with a "
        "rollback journal, and a change that does not fit into the page cache, lock out every reader of the "
        "file.",
    .advice =
        "take the strong lock only for what needs no look at the rows, and do the work before it, in "
        "transactions of their own; on SQLite, use PRAGMA journal_mode = WAL, where readers never wait for a "
        "writer; where production's table is small, say so: production: {rows: {settings: 200}}",
    .bad = R"(-- up
ALTER TABLE orders ALTER COLUMN total SET NOT NULL;)",
    .good = R"(-- 0001 up
ALTER TABLE orders ADD CONSTRAINT orders_total_there CHECK (total IS NOT NULL) NOT VALID;
-- 0002 up
ALTER TABLE orders VALIDATE CONSTRAINT orders_total_there;
-- 0003 up: the server takes the check's word, and reads nothing
ALTER TABLE orders ALTER COLUMN total SET NOT NULL;
ALTER TABLE orders DROP CONSTRAINT orders_total_there;)",
    .find = find_blocks_reads,
};

}  // namespace lockkeeper::check
