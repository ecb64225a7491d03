#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "record/record.h"

namespace lockkeeper::scenario {

/// Which part of a history is on trial; nothing set: all of it. At most one of them, but for `until`.
struct Selection {
  std::optional<std::string> since;         ///< versions from this one on
  std::optional<int> last;                  ///< the last n
  std::vector<std::string> only;            ///< these versions; those before the first are applied
  std::optional<std::string> since_ref;     ///< what this git ref does not have
  std::optional<std::string> since_folder;  ///< what this folder does not have

  std::optional<std::string> after;  ///< what comes after this version, or what this git ref does not have
  std::optional<std::string> until;  ///< no further than this version, or what this git ref has

  /// How many of them are set, `until` apart.
  int given() const {
    return int(after.has_value()) + int(since.has_value()) + int(last.has_value()) + int(!only.empty()) +
           int(since_ref.has_value()) + int(since_folder.has_value());
  }
  bool empty() const { return given() == 0 && !until; }
};

/// How a program outside runs a history, where its format does not say or says it otherwise. In the commands'
/// words and in the environment's values stand {url}, {host}, {port}, {socket}, {user}, {password},
/// {database}, and in up and down {version} and {previous}.
struct Tool {
  /// A program that is one migration, with a dry run of its own.
  struct Script {
    std::string version;
    std::string file;  ///< in the folder; its text decides whether it is the same migration still
    std::vector<std::string> up;
    std::vector<std::string> down;     ///< empty: there is no way back
    std::vector<std::string> dry_run;  ///< empty: it has none
    bool claims_rerunnable = false;    ///< its authors say that a second run changes nothing
    Location location;
  };
  std::vector<std::string> list;     ///< prints the versions in order, one a line
  std::vector<std::string> up;       ///< from the version before to this one
  std::vector<std::string> down;     ///< from this version to the one before; empty: there is no way back
  std::vector<std::string> dry_run;  ///< of the way to this version; empty: it has none
  std::vector<Script> scripts;       ///< in order, instead of list and up
  std::map<std::string, std::string> environment;
  std::optional<int> deadline_seconds;  ///< of one run of it

  bool empty() const {
    return list.empty() && up.empty() && down.empty() && dry_run.empty() && scripts.empty() &&
           environment.empty() && !deadline_seconds;
  }
};

struct Fixture {
  std::string path;   ///< absolute, or relative to the working directory
  std::string table;  ///< for .csv: the table to fill; the file's stem where not given
  Location location;
};

struct Invariant {
  std::string name;
  std::string sql;
  std::optional<std::string> equals;
  Location location;
};

/// One line of after_up. Exactly one of column, constraint, index, sql is set.
struct Expectation {
  std::string column;  ///< table.column or schema.table.column
  std::optional<bool> nullable;
  std::optional<std::string> type;           ///< as format_type writes it
  std::optional<std::string> default_value;  ///< key `default`; empty (YAML: null): it has none
  std::string constraint;
  std::optional<std::string> on_delete;  ///< "no action", "restrict", "cascade", "set null", "set default"
  std::optional<std::string> on_update;
  std::optional<bool> validated;
  std::string index;
  std::vector<std::string> columns;
  std::optional<bool> unique;
  std::optional<bool> valid;
  std::string sql;                        ///< tried in a transaction that is rolled back
  std::optional<std::string> equals;      ///< the answer, rows joined by "; ", columns by ", "
  std::vector<std::string> fails_before;  ///< SQLSTATEs with one of which it must fail at the base
  bool exists = true;       ///< key `exists: false`: the column, constraint or index must not be there
  bool not_before = false;  ///< must be otherwise at the base
  Location location;

  /// What must hold at the head: "column pagamentos.cliente_id is nullable", for messages.
  std::string describe() const;
};

/// The values of one execution; none is NULL.
using Parameters = std::vector<std::optional<std::string>>;

/// "1.10x" (head may take at most 1.10 of base's time), "50 ms" (head may take so long), "10x faster" (base
/// takes at least 10 times as long as head).
struct Query {
  std::string name;
  std::string sql;
  std::vector<Parameters> parameter_sets;  ///< key `params`: each is tried; none: it has no parameters
  std::string parameters_from;             ///< instead: SQL that yields a set a row, asked of the base
  std::string uses_index;
  std::optional<double> at_most;                          ///< ratio head / base
  std::optional<std::chrono::microseconds> at_most_time;  ///< of head
  std::optional<double> at_least_faster;                  ///< ratio base / head
  bool same_result = true;
  bool writes = false;  ///< it writes although it does not look like it: a function that writes, say
  Location location;

  /// For what runs it once, and with what the scenario itself says. None where only the base knows.
  std::optional<Parameters> first_parameters() const {
    if (!parameters_from.empty()) return std::nullopt;
    return parameter_sets.empty() ? Parameters() : parameter_sets.front();
  }
};

/// How critical queries are compared.
struct Benchmark {
  double false_alarms = 0.01;     ///< how often a run in which nothing has changed may call any query slower
  double at_most = 1.05;          ///< ratio head / base, where a query says nothing
  double buffers_at_most = 1.10;  ///< ratio head / base of pages touched
  std::chrono::milliseconds budget{5000};          ///< of timing one query
  std::chrono::milliseconds longest_query{10000};  ///< that one execution may take
  bool jit = false;
  int parallel_workers = 0;  ///< of one node of a plan
  std::optional<std::uint64_t> seed;
};

/// "size_at_most: 0.3x": exactly one of table, index, columns is set.
struct SizeClaim {
  std::string table;
  std::string index;
  std::vector<std::string> columns;  ///< table.column; the values alone
  double at_most = 1;                ///< ratio head / base
  Location location;

  std::string describe() const;  ///< "table sale", "columns sale.tax, sale.total"
};

/// What the release before this one runs, for as long as both are at work.
struct OldRelease {
  struct Write {
    std::string sql;
    Location location;
  };
  std::vector<Query> queries;
  std::vector<Write> writes;  ///< one statement each
  std::string from;           ///< "git ref 'origin/main'"; empty: the scenario says it itself
  std::string unread;         ///< why nothing of it is known
};

struct Allow {
  std::string rule;
  std::string migration;  ///< empty: any
  std::string reason;
  std::string until;  ///< YYYY-MM-DD or empty
  Location location;
};

struct ExpectedFinding {
  std::string rule;
  std::string migration;  ///< empty: any
  Location location;
};

struct LevelChange {
  std::string rule;
  record::Level level = record::Level::error;
  Location location;
};

/// What production is like, as far as a fixture does not show it.
struct Production {
  std::map<std::string, std::int64_t> rows;  ///< by table, as people write its name
  std::optional<double> writes_per_second;   ///< of the whole application
};

/// How a team makes its releases: what `lockkeeper release` drives beyond the migrations themselves.
struct ReleasePlan {
  struct Backup {
    std::string name;  ///< the form's where none is given
    record::BackupForm form = record::BackupForm::custom;
    int jobs = 1;                 ///< of a directory's
    std::optional<int> compress;  ///< 0 to 9; none: as pg_dump does it
    /// Of the scenario's own: lines for sh. {file}, and what a tool's command may hold (Tool), is put in.
    std::string command;
    std::string restore;
    Location location;
  };
  /// A way back.
  struct Way {
    std::string backup;  ///< its name; empty: the migrations' downs
    bool over = false;   ///< over the migrated database, as it is
    bool open = false;   ///< the same while an application has the file open
    Location location;

    record::RoadKind kind() const {
      if (backup.empty()) return record::RoadKind::downs;
      if (open) return record::RoadKind::restore_open;
      return over ? record::RoadKind::restore_over : record::RoadKind::restore_fresh;
    }
  };
  /// A point of a checklist that people go through.
  struct Point {
    std::string text;
    std::string by;  ///< the step, or the check by its name, that answers it; empty: people do
    Location location;
  };
  std::string environment = "production";
  std::optional<std::string> from;  ///< the version in production; none: by what the scenario puts on trial
  std::vector<Backup> backups;      ///< none: the engine's usual ones
  std::vector<Way> roads;           ///< that the runbook relies on
  bool names_roads = false;         ///< none are named: each backup has to come back into a new database
  std::optional<Way> on_failure;
  std::optional<std::chrono::milliseconds> restore_within;
  std::optional<std::chrono::milliseconds> downtime_at_most;
  std::vector<Invariant> pre_checks;
  std::vector<Invariant> operations;  ///< critical ones, each tried in a transaction that is rolled back
  std::vector<Point> checklist;
  std::vector<ExpectedFinding> expect_findings;
};

struct Scenario {
  std::string name;
  std::string file;                    ///< where it was read; empty for a bare directory
  std::string engine;                  ///< "postgres" or "sqlite"; empty: as the history's folder says
  std::vector<int> postgres_versions;  ///< empty: whichever server is found
  /// What each session of SQLite's begins with, by the names of PRAGMAs, in the order given.
  std::vector<std::pair<std::string, std::string>> pragmas;
  std::string database = "lockkeeper";
  std::vector<std::string> init;  ///< SQL run before the fixture: roles, extensions
  std::vector<Fixture> fixtures;
  /// The last version that the fixture holds already, as a dump of production does; empty: none.
  std::string fixture_at;
  std::string migrations_path;
  std::string format;  ///< empty: detected
  Tool tool;
  bool claims_rerunnable = false;  ///< of the migrations on trial: a second run after success changes nothing
  std::string transaction;         ///< the shape that sides are sent in; empty: the tool's own
  Selection selection;
  std::vector<std::string> writes;  ///< what the new release writes: one statement each
  std::vector<Invariant> invariants;
  std::vector<Expectation> after_up;
  std::vector<Query> queries;
  Benchmark benchmark;
  std::vector<SizeClaim> sizes;  ///< key `sizes`
  std::optional<OldRelease> old_release;
  std::vector<Allow> allow;
  std::vector<ExpectedFinding> expect_findings;
  std::vector<LevelChange> levels;
  std::optional<record::Level> gate;
  std::optional<record::Depth> depth;
  /// Longest that others may have to wait for a lock of a migration's.
  std::chrono::milliseconds longest_wait{200};
  Production production;
  std::optional<ReleasePlan> release;
  std::optional<int>
      seed_rows;  ///< to make in each table where there is no fixture; none: as the options say
  int scale = 1;  ///< fixtures may read it: current_setting('lockkeeper.scale')
};

}  // namespace lockkeeper::scenario
