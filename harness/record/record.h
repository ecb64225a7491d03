#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

/// All that a run observed and decided, as plain data: rules and reports need nothing else.
namespace lockkeeper::record {

using Microseconds = std::chrono::microseconds;

enum class Side { up, down };
enum class Level { note, warning, error };
enum class Verdict { pass, fail, error };
/// How much of a rehearsal is driven: quick goes forward, back and forward again; standard stops each up in
/// its middle, and goes back after writes, too; full makes it wait in a queue behind others.
enum class Depth { quick, standard, full };

// ── what a statement did
// ────────────────────────────────────────────────────────────────────────────────────

/// What a server says of an error (PostgreSQL: the fields of ErrorResponse).
struct SqlError {
  std::string sqlstate;  ///< empty where the failure is ours, for example a time limit
  std::string message;
  std::string detail;
  std::string hint;
  std::string context;
};

struct Notice {
  std::string severity;  ///< NOTICE, WARNING, INFO
  std::string sqlstate;
  std::string message;
  std::string detail;
};

/// A lock on a relation that existed before the side began, held from this statement to the end of its
/// transaction.
struct LockTaken {
  std::string relation;
  std::string kind;  ///< "table" (partitioned ones too), "index", "view", "materialized view", "sequence", …
  std::string mode;  ///< as pg_locks names it, for example AccessExclusiveLock
};

enum class StorageChange { rewritten, truncated, reindexed, refreshed };

/// A relation whose storage was replaced (its relfilenode changed).
struct Rewrite {
  std::string relation;
  StorageChange how = StorageChange::rewritten;
  std::optional<std::int64_t> rows;  ///< that the relation held before the side; none where nobody counted
  std::int64_t bytes = 0;            ///< of the new storage, without its indexes
};

/// Sequential scans of a relation, by whatever the statement did: builds of indexes and checks of
/// constraints are such scans too.
struct Scan {
  std::string relation;
  std::int64_t sequential_scans = 0;
  std::optional<std::int64_t> rows;  ///< that the relation held before the side; none where nobody counted
  std::int64_t rows_read = 0;        ///< by these scans; without what parallel workers read
  std::int64_t rows_changed = 0;     ///< of this relation, by the same statement
  std::int64_t bytes = 0;            ///< of the relation, without its indexes
};

/// Rows that a foreign key deleted with those that the statement is about.
struct CascadedRows {
  std::string table;
  std::int64_t rows = 0;
};

struct StatementRecord {
  std::string text;  ///< at most 4,000 characters
  Location location;
  Microseconds duration{0};
  std::optional<std::int64_t> rows_changed;  ///< by INSERT, UPDATE, DELETE, MERGE, COPY
  /// Its locks were read before its transaction ended, so all of them are known.
  bool locks_observed = false;
  /// Of a statement outside a transaction, whose locks are gone when it ends: they were seen from another
  /// session, a look every two milliseconds, and what was held for less may be missing. Nothing is known of
  /// its scans.
  bool locks_sampled = false;
  /// Statements of a side with the same number stood in the same transaction, which let go of their locks at
  /// its end.
  std::int64_t transaction = 0;
  std::vector<LockTaken> locks;
  std::vector<Rewrite> rewrites;
  std::vector<Scan> scans;
  std::vector<Notice> notices;
  std::uint64_t wal_bytes = 0;
  /// Of files into which sorts, hashes and the like spilled; none where nobody counts them.
  std::optional<std::uint64_t> temporary_bytes;
  std::optional<SqlError> error;
  std::vector<CascadedRows> cascaded;  ///< where the engine can tell
};

/// One setting that a session had otherwise at the end of a side than at its beginning.
struct SettingChange {
  std::string name;
  std::string before;
  std::string after;
};

/// A lock on a whole database file (SQLite): nobody else writes while it is held.
struct FileLock {
  bool stops_readers = false;  ///< nobody else reads either
  Microseconds at{0};          ///< since the side began
  Microseconds held{0};
  std::string text;                  ///< the statement that took it; empty where nobody knows
  std::optional<Location> location;  ///< of that statement
  bool sampled =
      false;  ///< seen from outside, a look every half millisecond: it may have been a little longer
};

/// How a side was sent to the server.
enum class TransactionShape {
  one_transaction,   ///< BEGIN, the statements, COMMIT
  one_message,       ///< all in one message, which the server makes an implicit transaction of
  own_transactions,  ///< the file has its own BEGIN and COMMIT
  autocommit,        ///< each statement on its own
};

/// One run of one side.
struct SideRun {
  Side side = Side::up;
  TransactionShape shape = TransactionShape::one_transaction;
  std::string shape_reason;  ///< why this shape, for example "CREATE INDEX CONCURRENTLY at 3:1"
  Microseconds duration{0};
  std::vector<StatementRecord> statements;
  /// The first error, and where; it may belong to no statement (COMMIT, a lost connection).
  std::optional<SqlError> error;
  std::optional<Location> error_location;
  bool left_transaction_open = false;
  std::vector<SettingChange> leaked_settings;
  std::vector<FileLock> file_locks;
};

// ── how two states differ
// ───────────────────────────────────────────────────────────────────────────────────

enum class Change { added, lost, altered };

/// One attribute of an object that differs: "nullable", "default", "definition", "privileges", "position", …
struct AttributeChange {
  std::string name;
  std::string before;
  std::string after;
};

/// An object of the schema in one state and not in the other, or otherwise in both.
struct ObjectDifference {
  std::string kind;      ///< table, column, index, constraint, view, function, trigger, type, …
  std::string identity;  ///< schema-qualified and quoted where SQL needs it: public.users.email
  std::string parent;  ///< identity of the relation that it hangs on, for columns, indexes, constraints, …;
                       ///< else empty
  Change change = Change::altered;
  bool recreated = false;         ///< same name, another object: dropped and made again
  bool parent_recreated = false;  ///< for a lost object: its parent is still there, but is another object
  std::vector<AttributeChange> attributes;  ///< what differs, where altered
  std::string definition;  ///< where added or lost: what a person would want to read of it, one line
};

enum class DataChange {
  table_rows,      ///< the number of rows differs
  column_values,   ///< values of a column differ
  row_composition  ///< each column holds the same values, but they stand in other rows together
};

struct DataDifference {
  DataChange change = DataChange::table_rows;
  std::string table;
  std::string column;  ///< for column_values
  std::int64_t rows_before = 0;
  std::int64_t rows_after = 0;
  /// Counted row by row by key where both states could be had side by side.
  std::optional<std::int64_t> rows_lost;
  std::optional<std::int64_t> rows_added;
  std::optional<std::int64_t> rows_changed;
  std::string sample_key;  ///< key of the first such row, for example id=17; empty where unknown
};

struct StateDifference {
  std::vector<ObjectDifference> objects;
  std::vector<DataDifference> data;

  bool empty() const { return objects.empty() && data.empty(); }
};

struct SequenceMove {
  std::string sequence;
  std::string before;  ///< "unused" or the last value
  std::string after;
};

// ── a migration's rehearsal
// ─────────────────────────────────────────────────────────────────────────────────

enum class SchemaFactKind {
  constraint_not_validated,
  constraint_violated,
  index_invalid,
  index_duplicate,
  foreign_key_without_index
};

/// Something that is so after up and was not so before, under this name; or the reverse.
struct SchemaFact {
  SchemaFactKind kind = SchemaFactKind::index_invalid;
  std::string object;  ///< the constraint or index
  std::string table;
  std::string detail;  ///< duplicate: the other index; without index: the columns; violated: how many rows
  std::string formerly = {};  ///< it was so before under this name: object or table was renamed
  bool settled = false;       ///< it was so before and is no longer, or the object is gone
};

/// `-- lockkeeper: allow <rule>: <reason> [until YYYY-MM-DD]` in a migration's file.
struct Declaration {
  std::string rule;
  std::string reason;
  std::string until;  ///< YYYY-MM-DD or empty
  Location location;
};

enum class Stage { forward, back, again, after_writes, interrupted, queue, traffic, chain, queries };

/// How much care a change wants, by what it was seen to change.
enum class ChangeClass { none, safe, risky, high_risk };

/// A dry run of the program that a migration is.
struct DryRun {
  std::string command;
  std::string output;  ///< the last that it said, secrets masked
  std::optional<SqlError> error;
  StateDifference change;      ///< which there should be none of
  bool bytes_changed = false;  ///< although the state is the same; where the engine can tell
};

/// How a side was stopped in its middle.
enum class StopKind {
  session_ended,    ///< by the server, as an administrator or a failover would
  ended_inside,     ///< the same, while a statement that commits on its way waited for another session
  database_locked,  ///< another connection writes (SQLite), for as long as the side tries
  server_killed,    ///< SIGKILL, and recovery from what it had written; durability is on for that
  /// While a statement that commits on its way waits for another session, its session has a lock_timeout …
  lock_timeout,
  statement_timeout  ///< … or a statement_timeout
};

/// One attempt at a side that was stopped, and what came of it. From and to are S0 and S1, or S1 and S2.
struct Interruption {
  Side side = Side::up;
  StopKind how = StopKind::session_ended;
  std::string before;  ///< the statement that it was to come before; empty: the last COMMIT
  std::optional<Location> location;
  std::optional<SqlError> error;  ///< which the attempt ended with; none where it got through all the same
  Microseconds waited{0};         ///< from the stop to the attempt's end
  StateDifference left;           ///< from → what it left; empty where it left nothing
  StateDifference missing;        ///< to → what it left, where it left anything
  bool retried = false;           ///< the side was run again on what it left
  std::optional<SqlError> retry_error;
  std::optional<Location> retry_location;
  StateDifference retry_difference;  ///< to → after the retry
};

/// A way out where a row that was written stops down, tried.
struct Rescue {
  std::string what;  ///< "give it a value", "delete the row"
  std::string sql;
  std::optional<SqlError> error;  ///< it fails, or down stops all the same; none: down runs then
};

/// Something written on S1 as the new release may write it, and what became of it when down ran behind it;
/// all of it in a transaction that was rolled back.
struct Write {
  std::string table;
  std::string what;  ///< "NULL in cliente_id", "a row"
  std::string sql;
  std::string key;                     ///< of the row: "id=17"; empty where it has none
  std::string skipped;                 ///< why nothing could be written
  std::optional<SqlError> stops_down;  ///< what down meets where this is written
  std::string statement;               ///< of down that stops
  std::optional<Location> location;    ///< of that statement
  std::string lost;                    ///< where down ran: "the row is gone", "nick is gone"
  std::vector<Rescue> rescues;         ///< where it stops down
};

/// Up, started while somebody has read a table that it locks in a transaction that stays open for a while.
struct QueueWait {
  std::string table;      ///< that was read
  Microseconds open{0};   ///< how long that transaction stayed
  std::string mode;       ///< of the lock that up waited for; empty where it waited for none
  std::string statement;  ///< that waited
  std::optional<Location> location;
  Microseconds others{0};         ///< the longest that an ordinary read stood behind it
  std::optional<SqlError> error;  ///< up's own, for example its lock_timeout
  StateDifference left;           ///< S0 → what it left, where it failed
  std::optional<SqlError> retry_error;
};

/// One read or write of somebody else's while up ran, and what it stood behind.
struct ProbeWait {
  std::string table;
  std::string query;  ///< the critical query's name instead; empty where the table was read or written
  bool writes = false;
  Microseconds at{0};  ///< since up began; before it where it was under way then
  Microseconds waited{0};
  std::string statement;  ///< of up, that it stood behind; empty where it took no time worth asking
  std::string mode;       ///< of the locks that stopped it
  std::optional<Location> location;  ///< of that statement
};

/// Up, run while others go on using tables that were there before, and the critical queries: one reader and
/// one writer, 200 probes a second.
struct Traffic {
  Microseconds duration{0};        ///< of up in that traffic
  std::int64_t probes = 0;         ///< that were under way or began while it ran
  Microseconds longest_before{0};  ///< that a probe took before up began
  std::vector<ProbeWait> waits;    ///< in the order of their beginnings; the longest 500
};

struct StageSkipped {
  Stage stage = Stage::back;
  std::string reason;
};

struct MigrationRecord {
  std::string version;
  std::string name;
  Location up;                   ///< file of the up side
  std::optional<Location> down;  ///< file of the down side, none where there is none
  bool down_is_empty = false;    ///< only white space and comments
  bool format_has_down = true;
  std::optional<SideRun> forward;
  std::optional<SideRun> back;
  std::optional<SideRun> again;
  std::vector<StageSkipped> skipped;

  StateDifference forward_change;    ///< S0 → S1: all that up did
  StateDifference back_difference;   ///< S0 → S2, without what is non-deterministic
  StateDifference again_difference;  ///< S1 → S3, without what is non-deterministic
  bool down_did_nothing = false;     ///< S2 = S1 although S1 ≠ S0
  /// What differed between two identical runs of a side, and so was left out above.
  StateDifference up_not_deterministic;
  StateDifference down_not_deterministic;
  std::vector<SequenceMove> sequence_moves;  ///< S0 → S2
  std::vector<SchemaFact> schema_facts;
  std::vector<Declaration> declarations;
  std::optional<DryRun> dry_run;          ///< on S0
  std::optional<DryRun> dry_run_after;    ///< on S1
  std::vector<std::string> unannounced;   ///< what up added or dropped and the first dry run does not name
  std::optional<SideRun> second_run;      ///< of up on S1, no down between
  StateDifference second_run_difference;  ///< S1 → after it
  ChangeClass change_class = ChangeClass::none;
  std::vector<std::string> change_reasons;  ///< why it is not safe: "drops column public.users.nick"
  std::vector<Interruption> interruptions;
  std::vector<Write> writes;
  std::vector<QueueWait> queues;  ///< for each table that up locks against everybody
  std::optional<Traffic> traffic;
  bool claims_rerunnable = false;  ///< its authors say that a second run changes nothing
};

/// The trial taken back as a whole and up again.
struct ChainRecord {
  struct Step {
    std::string version;
    SideRun run;
  };
  bool ran = false;
  std::string skipped_reason;
  std::string
      stops_at;  ///< version of the last migration without a down, where the way back ends; mostly empty
  std::vector<Step> back;  ///< in the order in which they ran
  std::vector<Step> again;
  StateDifference back_difference;   ///< where it began → after all downs
  StateDifference again_difference;  ///< the head → after all ups
};

// ── what the scenario asked
// ─────────────────────────────────────────────────────────────────────────────────

enum class Moment { base, after_up, after_down, after_chain };

struct InvariantObservation {
  std::string name;
  Moment moment = Moment::base;
  std::string migration;  ///< version; empty at base and after the chain
  std::string value;      ///< rows joined by "; ", columns by ", "
  std::optional<SqlError> error;
};

struct ExpectationObservation {
  std::size_t index = 0;    ///< into Scenario::after_up
  std::string description;  ///< Expectation::describe(); reports number the expectation where it is empty
  bool before_known = false;
  bool before_held = false;
  std::string before_found;  ///< what was found instead, or the error
  std::string before_sqlstate;
  bool after_held = false;
  std::string after_found;
  std::string after_sqlstate;
};

/// A node of a plan that was executed; nodes stand in the order in which EXPLAIN shows them.
struct PlanNode {
  int depth = 0;
  std::string kind;      ///< "Index Only Scan", "Hash Join"; of SQLite: "SEARCH", "SCAN", "USE TEMP B-TREE"
  std::string relation;  ///< that it reads or writes
  std::string index;     ///< by which it reads
  std::string join;      ///< "Inner", "Left", …; empty for what joins nothing
  std::string detail;    ///< conditions, sort keys: one line
  double rows_estimated = 0;           ///< of one loop; 0 where the engine does not estimate
  double rows = 0;                     ///< of one loop, counted
  std::int64_t loops = 0;              ///< 0: it was never executed
  std::int64_t buffers = 0;            ///< pages touched, by it and the nodes below
  std::int64_t spilled_kilobytes = 0;  ///< to files, by its sort or hash
};

struct QueryPlan {
  std::vector<std::string> indexes;           ///< used anywhere in the plan
  std::vector<std::string> sequential_scans;  ///< tables read whole
  std::string text;                           ///< EXPLAIN's text
  std::vector<PlanNode> nodes;                ///< empty where it was not executed
  std::int64_t buffers = 0;                   ///< pages touched, each time anew
  std::int64_t wal_bytes = 0;                 ///< of a query that writes
};

/// What a comparison of times came to.
enum class TimeVerdict {
  not_timed,
  within,       ///< not slower than the limit
  beyond,       ///< slower than the limit
  not_decided,  ///< the time that it was given ended before either was clear
};

/// Samples taken one after another, merged, so that a record does not grow with their number.
struct SampleBlock {
  std::int64_t samples = 0;
  double base_milliseconds = 0;  ///< mean of them
  double head_milliseconds = 0;
};

/// Times of a query on base and head, sampled in pairs. The bounds of what has an interval hold at all times
/// at once, so that sampling may stop where they say enough (rehearsal/sequential.h).
struct QueryTiming {
  TimeVerdict verdict = TimeVerdict::not_timed;
  std::string reason;  ///< why it was not timed, or not decided
  double limit = 0;    ///< of head / base, that the verdict is about; 0 where it is about milliseconds
  double limit_milliseconds = 0;  ///< of head's median; 0 where it is about a ratio
  std::int64_t pairs = 0;
  std::int64_t dropped = 0;          ///< pairs of which one side failed or ran out of time
  double base_median = 0;            ///< milliseconds
  double head_median = 0;            ///< milliseconds
  double head_low = 0;               ///< bounds of head's median, milliseconds
  std::optional<double> head_high;   ///< none: not known yet
  double ratio = 0;                  ///< median of head / base over pairs
  double ratio_low = 0;              ///< its bounds
  std::optional<double> ratio_high;  ///< none: not known yet
  double error_rate = 0;             ///< at which each bound may be wrong
  int core = -1;                     ///< to which client and both sessions were pinned; -1: they moved freely
  std::uint64_t seed = 0;            ///< of the order within each pair
  std::vector<SampleBlock> blocks;
};

/// A critical query with one set of parameters, on base and head.
struct QueryObservation {
  std::string name;
  std::string parameters;  ///< "42, 'open'"; empty where it has none
  bool writes = false;     ///< each execution was rolled back
  std::optional<SqlError> base_error;
  std::optional<SqlError> head_error;
  QueryPlan base_plan;
  QueryPlan head_plan;
  bool same_result = true;
  bool ambiguous_result = false;   ///< the base itself answers otherwise under another plan: not comparable
  bool not_deterministic = false;  ///< the base answers otherwise the second time: not comparable
  std::string difference;          ///< where the answer is another one: the first row that differs
  std::int64_t base_rows = 0;
  std::int64_t head_rows = 0;
  std::string undecided;  ///< why nothing of it says anything, for example since its tables are empty
  QueryTiming timing;
};

/// What an index that the trial adds costs and who uses it, or who used one that it drops.
struct IndexCost {
  std::string index;
  std::string table;
  bool dropped = false;
  bool on_new_table = false;  ///< the trial adds the table too
  std::int64_t bytes = 0;
  Microseconds build{0};                ///< of one that was added, built anew on the head's rows
  std::vector<std::string> used_by;     ///< critical queries, on head; of a dropped one on base
  std::vector<std::string> supersedes;  ///< indexes whose columns are the first of this one's
};

/// The size of what a claim is about, on base and head.
struct SizeObservation {
  std::string what;                        ///< "table public.sale", "columns sale.tax, sale.total"
  std::optional<std::int64_t> base_bytes;  ///< none where it is not there
  std::optional<std::int64_t> head_bytes;
  double at_most = 0;  ///< head / base, as claimed
};

enum class OldUseKind {
  query,   ///< that the old release runs
  view,    ///< that was there and is there still
  write,   ///< that the old release sends
  old_row  ///< a row copied by the columns that a table had before, as the old release would insert it
};

/// Something that the release before this one does, tried on the new schema.
struct OldUse {
  OldUseKind kind = OldUseKind::query;
  std::string what;  ///< the query's name; the view or table
  std::string sql;
  std::optional<Location> location;
  std::optional<SqlError> base_error;  ///< it fails on base already
  std::optional<SqlError> error;       ///< on the new schema
  bool same_result = true;             ///< of a query
  std::int64_t base_rows = 0;
  std::int64_t head_rows = 0;
  std::string migration;  ///< the first behind which it breaks; empty where it does not
  std::string query;      ///< of the new release, that fails behind this write
  std::optional<SqlError> query_error;
};

// ── what the files say
// ────────────────────────────────────────────────────────────────────────────────────────────────

enum class HistoryFactKind {
  version_duplicate,
  version_out_of_order,
  several_heads,
  parent_missing,
  edited,           ///< a migration that the base ref has is another now
  checksum_differs  ///< a checksum file of the tool's does not match the files
};

/// Something that is wrong with the history as its files, and the base ref, have it.
struct HistoryFact {
  HistoryFactKind kind = HistoryFactKind::edited;
  std::string migration;  ///< version; empty where it concerns no single one
  Location location;
  std::string detail;       ///< what was found: "stands before 0003, which origin/main has"
  std::string consequence;  ///< what the tool does then: "goose refuses to go up"
};

/// All of the trial's ups in one transaction, for tools that put all that is pending into one.
struct TogetherRecord {
  bool ran = false;
  Microseconds duration{0};
  std::string stops_at;  ///< version whose up fails there; empty where it got through
  std::optional<SqlError> error;
  std::optional<Location> error_location;
};

// ── a release
// ────────────────────────────────────────────────────────────────────────────────────────────────

/// How a backup is made.
enum class BackupForm {
  custom,       ///< pg_dump --format=custom
  directory,    ///< pg_dump --format=directory, in parallel
  plain,        ///< pg_dump --format=plain: SQL
  copy,         ///< of SQLite's file, by cp
  online,       ///< SQLite's own: sqlite3 .backup
  vacuum_into,  ///< SQLite's VACUUM INTO
  command       ///< one of the scenario's own
};

/// A program that made a backup or brought one back.
struct ToolRun {
  std::string command;  ///< as a person would type it, without secrets
  Microseconds duration{0};
  bool failed = false;
  std::string status;             ///< "exit code 1"
  std::int64_t errors = 0;        ///< that it told, whatever it ended with
  std::vector<std::string> said;  ///< the first of them, or its last words where it failed without any

  /// Did it end well, and tell of no error on its way? psql ends well whatever it told.
  bool clean() const { return !failed && errors == 0; }
};

/// A copy of a backup, damaged on purpose, and what told it from a sound one.
struct Damage {
  std::string what;        ///< "cut to half its size"
  std::string noticed_by;  ///< "pg_restore --list", "the restore", "the comparison"; empty: nothing did
  std::string said;
};

struct Backup {
  std::string name;
  BackupForm form = BackupForm::custom;
  std::string file;  ///< its name in the directory of backups
  ToolRun made;
  std::uint64_t bytes = 0;
  std::string sha256;                 ///< of a file; of a directory over all files in it, by name
  std::optional<ToolRun> listed;      ///< its contents, read without a server
  std::int64_t entries = 0;           ///< that the list has
  std::vector<std::string> unlisted;  ///< tables that it should name and does not
  std::optional<ToolRun> restored;    ///< into an empty database
  StateDifference difference;         ///< what was backed up → what came of it
  std::vector<std::string>
      left_out;  ///< what hangs on the database itself, and is in no dump without --create
  std::vector<Damage> damages;
  /// Made while somebody writes: what it misses or has too much; empty: nothing; none: not tried.
  std::optional<std::string> writer_fault;
  std::optional<ToolRun>
      on_new_server;  ///< brought back on a server that has no roles; tried with one of them
  std::optional<ToolRun> without_room;  ///< made once more where the disk is full: has to fail
};

enum class RoadKind {
  downs,          ///< the migrations' own way back
  restore_over,   ///< a backup fed to the database as it is now
  restore_fresh,  ///< into a new database in its place
  restore_open    ///< over a file that the application still has open
};

/// Rows that were written since the backup, and how many of them a road loses.
struct LostRows {
  std::string table;
  std::int64_t written = 0;
  std::int64_t lost = 0;
};

/// What a time would be at production's size.
struct TimeRange {
  Microseconds least{0};
  Microseconds most{0};
};

/// A way back from the state after the release and its first writes, driven.
struct Road {
  RoadKind kind = RoadKind::downs;
  std::string name;    ///< "pg_restore of custom over the migrated database"
  std::string backup;  ///< its name; empty for downs
  bool named = false;  ///< the scenario's runbook relies on it
  std::vector<ToolRun> runs;
  Microseconds duration{0};
  std::optional<TimeRange> in_production;  ///< where the scenario says how many rows that has
  std::optional<SqlError> error;           ///< of downs
  std::string stopped_at;                  ///< version whose down fails
  std::optional<Location> location;
  StateDifference difference;  ///< what was backed up → where it ends, without the rows written since
  std::vector<LostRows> lost;
  /// The connection was cut half-way, or the disk was full; what the same road does when taken once more.
  std::string broken_by;
  bool noticed = true;  ///< the program said so
  std::optional<ToolRun> again;
  StateDifference again_difference;

  /// Did it end where it should, and did nobody have to be told otherwise?
  bool leads_back() const {
    return !error && difference.empty() &&
           std::all_of(runs.begin(), runs.end(), [](const ToolRun& run) { return run.clean(); });
  }
};

/// The release stopped in its middle, and what the runner then does by itself.
struct FailedRelease {
  std::string migration;
  StopKind how = StopKind::session_ended;
  std::string before;  ///< the statement; empty: the last COMMIT, or the beginning of what met a locked file
  std::optional<Location> location;
  std::optional<SqlError> error;
  StateDifference left;  ///< what was there before the migration → what the stop left, where not all is in
  std::string answer;    ///< "restore of custom over the migrated database"; empty: none
  std::vector<ToolRun> runs;  ///< of the answer
  std::optional<SqlError> answer_error;
  StateDifference after;  ///< what was backed up → after the answer
};

/// A step of the runbook.
struct ReleaseStep {
  std::string name;       ///< "pre-checks", "backup custom", "apply 0042", …
  Microseconds begun{0};  ///< since the check began
  Microseconds duration{0};
  bool ok = true;
  std::vector<std::string> evidence;
};

enum class Mark { open, done, failed };

/// A point of the runbook's checklist; what no machine sees stays open.
struct ChecklistPoint {
  std::string point;
  std::string by;  ///< the step that answers it; empty: people
  Mark mark = Mark::open;
  std::string evidence;
};

enum class Decision { go, go_with_risks, no_go };

/// A pre-check or a critical operation of the scenario's, asked.
struct ReleaseCheck {
  std::string name;
  bool before = false;  ///< a pre-check
  bool held = false;
  std::string found;  ///< the answer, or the error
};

struct TableRows {
  std::string table;
  std::int64_t rows = 0;
};

/// The whole runbook of a release, rehearsed.
struct Release {
  std::string from;  ///< version in production; empty: nothing is in
  std::string to;
  std::string environment;  ///< "production", for the log
  std::string database;
  std::vector<TableRows> rows;  ///< of the tables at the backup
  std::uint64_t database_bytes = 0;
  std::uint64_t free_bytes = 0;  ///< where backups go
  std::vector<ReleaseStep> steps;
  std::vector<std::string> forewarnings;  ///< what is amiss in the database before anything is done
  std::vector<ReleaseCheck> checks;
  std::vector<Backup> backups;
  std::vector<TableRows> written;  ///< since the backup, by the new release
  std::vector<Road> roads;
  std::vector<FailedRelease> failures;
  Microseconds downtime{0};  ///< of all ups
  std::optional<TimeRange> downtime_in_production;
  std::vector<ChecklistPoint> checklist;
  Decision decision = Decision::no_go;
  std::vector<std::string> risks;
};

// ── findings and the whole
// ──────────────────────────────────────────────────────────────────────────────────

struct Finding {
  std::string rule;
  Level level = Level::error;
  std::string migration;  ///< version as the format writes it; empty where it concerns the whole run
  std::optional<Side> side;
  std::string statement;  ///< abridged; empty where none is to blame
  std::optional<Location> location;
  std::string message;                ///< one line: what was observed
  std::vector<std::string> evidence;  ///< further lines: numbers, names, rows
  std::string advice;                 ///< what to do instead
  bool allowed = false;               ///< declared, with `reason`; level is note then
  std::string reason;
  bool expected = false;  ///< named in the scenario's expect_findings
};

/// An `allow`, a declaration or an expected finding that nothing in this run answers to.
struct Unmatched {
  std::string rule;
  std::string migration;
  std::string reason;
  Location location;
};

struct ServerInfo {
  std::string engine;    ///< "postgres"
  std::string version;   ///< "15.20"
  std::string binaries;  ///< directory, or "existing server"
  std::map<std::string, std::string> settings;
};

/// Where the time of a run went.
struct Timings {
  Microseconds total{0};
  Microseconds provision{0};        ///< until the base state stood ready
  Microseconds first_statement{0};  ///< process start to the first statement of a trial
  bool from_snapshot = false;       ///< the base state came from the store
};

struct Run {
  std::string scenario;       ///< its name
  std::string scenario_file;  ///< or the migrations directory
  std::string format;         ///< of the history: "goose"
  ServerInfo server;
  std::vector<std::string> fixtures;
  std::int64_t base_rows = 0;  ///< rows in all tables at the base
  std::int64_t made_rows = 0;  ///< of our own, at most so many in each table, where no fixture is named
  int applied = 0;             ///< migrations that were only applied
  bool queries_alone = false;  ///< nothing was rehearsed: base and head were made to compare queries on them
  std::vector<MigrationRecord> migrations;  ///< on trial
  ChainRecord chain;
  TogetherRecord together;
  std::vector<HistoryFact> history_facts;
  std::vector<InvariantObservation> invariants;
  std::vector<ExpectationObservation> expectations;
  std::vector<QueryObservation> queries;
  std::vector<IndexCost> index_costs;
  std::vector<SizeObservation> sizes;  ///< one for each of the scenario's size claims
  std::vector<OldUse> old_uses;
  std::optional<Release> release;      ///< of a release check
  std::vector<std::string> not_taken;  ///< files of the folder that the format did not take, with the reason
  std::vector<std::string> remarks;    ///< what a reader should know, for example that tables hold no rows
  std::optional<Failure> failure;      ///< why the run ended early
  Timings timings;
  std::vector<Finding> findings;
  std::vector<Unmatched> stale;             ///< allow lists and declarations that matched nothing
  std::vector<Unmatched> missing_expected;  ///< expect_findings that did not appear
  Level gate = Level::error;
  Verdict verdict = Verdict::error;
  std::string reproduce;  ///< the command that brings the first failure back
  std::string kept;       ///< the psql line of a database left running
};

struct Record {
  static constexpr int k_schema_version = 1;
  std::string lockkeeper_version;
  std::string started_at;  ///< RFC 3339, UTC
  std::string host;        ///< name of the machine; may be empty
  std::vector<Run> runs;
  Verdict verdict = Verdict::error;
};

}  // namespace lockkeeper::record
