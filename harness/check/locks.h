#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "check/rule.h"

/// What the locks of a side mean for everybody else: a strong lock matters where work that grows with a table
/// is done under it.
namespace lockkeeper::check {

/// Whom a lock keeps out of what it is on (an index is locked with its table):
/// https://www.postgresql.org/docs/current/explicit-locking.html
enum class Stops { nobody, writers, everybody };
Stops stops(const record::LockTaken& lock);

/// What a statement did that takes longer the more rows a table has.
struct Work {
  const record::StatementRecord* statement = nullptr;
  std::string relation;
  bool rewrites = false;
  std::int64_t rows = 0;  ///< before the side: at least one
};

/// Scans and rewrites of tables with rows. A statement that reads or writes rows scans a small table because
/// it is small, with an index on it or not: its scans count where the table is no longer small, or where it
/// changed at least half of the rows.
std::vector<Work> work_of(const record::StatementRecord& statement);

/// A time at production's size, from the time per row that was measured.
struct Estimate {
  record::Microseconds least{0};
  record::Microseconds most{0};
};

/// Existing tables that are locked by one statement while it, or a later one of its transaction, works on
/// them.
struct Stall {
  const record::StatementRecord* locked = nullptr;  ///< the statement that took the lock
  std::string mode;
  std::vector<std::string> relations;  ///< that it locked so, those that are worked on first
  std::vector<Work> work;              ///< under the lock, in order
  record::Microseconds held{0};        ///< from the lock's statement to the end of its transaction
  std::optional<Estimate> expected;    ///< where the scenario says how many rows production has
  bool too_few_rows = false;           ///< it does, but the fixture has too few to go by
};

/// Those whose lock stops exactly `whom`; what the scenario's `production` shows to be short enough is left
/// out. Up is timed by its second run too where there is one.
std::vector<Stall> stalls_of(const record::MigrationRecord& migration, record::Side side, Stops whom,
                             const scenario::Scenario& scenario);

/// What a whole side would take at production's size; none where the scenario states no rows of a table that
/// it works on, or the fixture has too few of them to go by.
std::optional<Estimate> expected_time(const record::SideRun& run, const scenario::Scenario& scenario);

/// Rows that production has of a table, where the scenario says so.
std::optional<std::int64_t> rows_in_production(const scenario::Scenario& scenario, std::string_view relation);

/// Strong locks that are kept while later statements of the transaction do slow work elsewhere.
struct Held {
  const record::StatementRecord* slow = nullptr;  ///< the first of them
  std::string why;                                ///< "reads the 100,000 rows of public.orders"
  struct Lock {
    const record::StatementRecord* statement;
    std::string relation;
    std::string mode;
  };
  std::vector<Lock> locks;
  record::Microseconds held{0};  ///< from the first lock's statement to the end of the transaction
};
std::vector<Held> held_on(const record::SideRun& run, const scenario::Scenario& scenario);

/// The findings of blocks-reads or blocks-writes about such stalls.
void report_stalls(const record::Run& run, const scenario::Scenario& scenario, const Rule& rule, Stops whom,
                   std::vector<record::Finding>& findings);
/// Those about locks on a whole database file.
void report_file_locks(const record::Run& run, const scenario::Scenario& scenario, const Rule& rule,
                       Stops whom, std::vector<record::Finding>& findings);

/// Those about probes that waited longer than is allowed: the longest of each migration.
void report_traffic(const record::Run& run, const scenario::Scenario& scenario, const Rule& rule, Stops whom,
                    std::vector<record::Finding>& findings);

/// "public.orders, public.users and 3 more"
std::string some_of(const std::vector<std::string>& names);

}  // namespace lockkeeper::check
