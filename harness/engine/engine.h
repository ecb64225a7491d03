#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/process.h"
#include "base/result.h"
#include "engine/query_session.h"
#include "engine/state.h"
#include "record/record.h"
#include "sql/script.h"

/// The seam: a rehearsal knows instances, sessions and states, not which server stands behind them.
namespace lockkeeper::engine {

enum class Observe { no, yes };

/// Where a side is stopped in its middle.
struct Stop {
  record::StopKind how = record::StopKind::session_ended;
  /// The statement that it comes before, counted over all parts from 0; their number: what ends the last
  /// transaction. A lock on the database comes only where no transaction of the side is open, and else never.
  /// A statement that is to be ended inside and waits for nobody is stopped before it; one that is to run
  /// into a timeout and waits for nobody is not stopped.
  std::size_t before = 0;
  bool in_no_transaction = false;  ///< the side was seen to be refused in one
};

/// One side to be run, in a new session.
struct SideRequest {
  record::Side side = record::Side::up;
  const sql::Script* script = nullptr;
  std::string bookkeeping;  ///< SQL with which the tool notes that the side is done; may be empty
  std::chrono::milliseconds statement_timeout{0};  ///< 0: none
  Observe observe = Observe::yes;                  ///< no: apply only, as fast as may be
  std::optional<Stop> stop;
  std::function<void()> kill_server = {};  ///< set by an instance that has the server to itself
};

/// A program that runs one side of a migration by itself.
struct ToolRequest {
  record::Side side = record::Side::up;
  std::string name;  ///< for messages: "alembic"
  /// {url}, {host}, {port}, {socket} (a directory), {user}, {password} and {database} are put into arguments
  /// and environment. DATABASE_URL, PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE and PGSSLMODE are set
  /// where the command does not set them itself; no other PG… of ours is passed on.
  Command command;
  bool must_connect = false;  ///< an environment failure where it ends well and never came to the database
  std::chrono::milliseconds deadline{0};  ///< of the whole program; 0: none
  Location location;                      ///< of the migration: its statements stand in no file that we know
  Observe observe = Observe::yes;
  bool while_locked = false;  ///< another connection writes all the while (SQLite)
  /// Its sessions, or the server, are ended when so many statements of them have: Stop::before (PostgreSQL).
  std::optional<Stop> stop = {};
  std::function<void()> kill_server = {};  ///< set by an instance that has the server to itself
};

struct SideOutcome {
  record::SideRun run;
  std::optional<record::Microseconds> stopped_at;  ///< since it began; none where it came to no stop
  Touched touched;
  std::string output;  ///< of a tool: the last that it said, secrets masked
};

/// What runs a side on an instance.
using Drive = std::function<Result<SideOutcome>()>;

/// The answer to a query, as text.
struct Answer {
  std::optional<record::SqlError> error;
  std::vector<std::vector<std::optional<std::string>>> rows;

  /// Rows joined by "; ", columns by ", ", NULL as "NULL".
  std::string text() const;
};

struct QueryRequest {
  std::string sql;
  std::vector<std::optional<std::string>> parameters;
  std::vector<std::string> before = {};  ///< statements that run first, in the same transaction
};

/// Something that the new schema lets in and the one before did not.
struct WriteWish {
  enum class Kind {
    row,                  ///< in a new table
    value,                ///< in a new column
    null,                 ///< in a column that has become nullable
    longer,               ///< than the column's type before, which is `detail`
    label,                ///< of an enumeration, newly added: `detail`, as a literal; `table` is the type
    against_check,        ///< that is gone; `detail` is its definition
    against_unique,       ///< a second row with the same values
    against_foreign_key,  ///< a value that refers to no row
  };
  Kind kind = Kind::row;
  std::string table;                 ///< identity
  std::vector<std::string> columns;  ///< as SQL writes them
  std::string detail;
};

/// What came of filling empty tables.
struct Filled {
  Touched touched;
  std::vector<std::pair<std::string, std::string>> refusals;  ///< tables that stay empty, with the reason
};

struct LaterRollback {
  std::vector<WriteWish> wishes;
  const sql::Script* down = nullptr;
  /// Runs down where no transaction of ours can hold it: all that is wished is written and committed then,
  /// and the instance used up. What stops down is told of each of the writes.
  Drive drive = {};
  std::chrono::milliseconds statement_timeout{0};  ///< 0: none
};

/// A backup of the whole database: to be made, looked into, or brought back.
struct BackupRequest {
  record::BackupForm form = record::BackupForm::custom;
  std::filesystem::path path;  ///< a file, or the directory of a form that is one
  int jobs = 1;
  std::optional<int> compress;             ///< 0 to 9
  std::string command;                     ///< of a form of the scenario's own: lines for sh
  std::string restore;                     ///< the same for the way back; empty: by what the file is
  std::optional<std::uint64_t> room = {};  ///< bytes after which the disk is full
  std::chrono::milliseconds deadline{0};   ///< of the scenario's own commands; 0: none
};

struct RestoreRequest {
  BackupRequest backup;
  bool fresh = false;       ///< into a new database in the place of this one, which goes
  bool while_open = false;  ///< an application has the file open, and goes on behind it
  std::optional<std::chrono::microseconds> cut_after = {};  ///< all connections are ended then
};

/// What a backup says of its own contents.
struct BackupContents {
  record::ToolRun run;
  std::int64_t entries = 0;
  std::vector<std::string> unlisted;  ///< of the tables asked for
};

/// Where a snapshot lies: a directory (a server of ours) or a template database (an existing server).
struct Image {
  std::filesystem::path directory;
  std::string database;
  bool in_memory = false;  ///< on the memory disk: this run's alone, for as long as it lasts
};

/// A running disposable database. Destroying it stops the server and removes its directory.
class Instance {
 public:
  virtual ~Instance() = default;

  virtual const record::ServerInfo& server() const = 0;

  /// What current_setting('lockkeeper.scale') says while fixtures are loaded; 1 where it is not set.
  virtual void set_scale(int) {}
  /// Tables, as the server names them, that no state is to hold: a tool's own bookkeeping.
  virtual void set_apart(const std::vector<std::string>&) {}
  /// Restores one fixture (.sql, .csv, dumps; .gz and .zst) or fails with what and where.
  virtual Result<void> load_fixture(const std::string& path, const std::string& table) = 0;
  /// Runs SQL of the scenario's `init`; `name` says where it stands, for messages.
  virtual Result<void> execute(const std::string& sql, const Location& location) = 0;
  /// ANALYZE over the whole database.
  virtual Result<void> analyze() = 0;

  /// Runs a side in a new session, the last statement's end awaited; SQL errors are part of the outcome. A
  /// Failure means that the instance itself is lost or that we were interrupted.
  virtual Result<SideOutcome> run_side(const SideRequest& request) = 0;

  /// Runs a program that connects to the database, and watches what it sends. That it fails, or runs into its
  /// deadline, is part of the outcome; a Failure means that it could not be started, that the instance is
  /// lost, or that we were interrupted. Nothing of the program is connected to the database afterwards.
  virtual Result<SideOutcome> run_tool(const ToolRequest& request) = 0;

  /// Settings that the session of the last observed side had otherwise at its end; asked for when the side
  /// ended, and awaited only here.
  virtual Result<std::vector<record::SettingChange>> leaked_settings() = 0;

  /// The whole state. Hashes of tables that `touched` clears are taken over from `previous` (null: read
  /// everything), or else from an `earlier` state.
  Result<State> read_state(const State* previous, const Touched& touched) {
    return read_state(previous, touched, Since{});
  }
  virtual Result<State> read_state(const State* previous, const Touched& touched, const Since& earlier) = 0;

  /// Puts sequences back where `state` has them.
  virtual Result<void> restore_sequences(const State& state) = 0;

  /// How many rows of `table` each side has alone or otherwise, by key, and a sample: `base` is a second
  /// instance of the same engine. Only tables with a primary or unique key have an answer.
  virtual Result<std::optional<record::DataDifference>> compare_rows(Instance& base,
                                                                     const std::string& table) = 0;

  /// Constraints whose rows break them, among those that claim to hold, on the touched tables.
  Result<std::vector<record::SchemaFact>> violated_constraints(const Touched& touched) {
    return violated_constraints(touched, Step{});
  }
  /// The same without those that the step cannot have broken: they and the values that they are about are as
  /// they were before it.
  virtual Result<std::vector<record::SchemaFact>> violated_constraints(const Touched& touched,
                                                                       const Step& step) = 0;

  /// Changes with any byte of the database; none where it cannot be told (a server writes at all times).
  virtual Result<std::optional<std::string>> digest_of_bytes() { return std::optional<std::string>(); }

  /// A query in a transaction that is rolled back.
  virtual Result<Answer> try_query(const QueryRequest& request) = 0;

  /// Makes so many rows in each of the tables, which are empty; the same database gets the same rows. None
  /// where this engine cannot.
  virtual Result<std::optional<Filled>> fill(const std::vector<std::string>&, int) {
    return std::optional<Filled>();
  }
  /// Writes what is wished in a transaction that is rolled back, each by itself where all together stop down,
  /// and drives down behind it: what became of it. Values of sequences may have moved. None where this engine
  /// cannot.
  virtual Result<std::optional<std::vector<record::Write>>> roll_back_later(const LaterRollback&) {
    return std::optional<std::vector<record::Write>>();
  }

  /// Runs a side while another transaction, which has read this table, stays open for a while; how long an
  /// ordinary read stood behind it. None where this engine has no such queue.
  virtual Result<std::optional<record::QueueWait>> queue_behind_reader(const std::string&,
                                                                       std::chrono::milliseconds,
                                                                       const Drive&) {
    return std::optional<record::QueueWait>();
  }
  /// A query that others run meanwhile.
  struct TrafficQuery {
    std::string name;
    QueryRequest request;
  };
  /// Runs a side while others read these tables, write to them and run the queries, as far as these run at
  /// all and take no longer than 20 ms when nobody is in their way. None where this engine has no others.
  virtual Result<std::optional<record::Traffic>> run_in_traffic(const std::vector<std::string>&,
                                                                const std::vector<TrafficQuery>&,
                                                                const Drive&) {
    return std::optional<record::Traffic>();
  }

  /// The ways in which databases of this kind are mostly backed up.
  virtual std::vector<record::BackupForm> backup_forms() const = 0;
  /// Bytes that the database takes.
  virtual Result<std::uint64_t> size() = 0;
  /// Makes a backup; what the program said, also where it fails.
  virtual Result<record::ToolRun> back_up(const BackupRequest& request) = 0;
  /// Reads what is in a backup, without bringing it back; `tables` should be in it.
  virtual Result<BackupContents> look_into(const BackupRequest& request,
                                           const std::vector<std::string>& tables) = 0;
  /// Brings a backup back; the same for what the program said.
  virtual Result<record::ToolRun> bring_back(const RestoreRequest& request) = 0;
  /// What a backup misses, or has too much, that is made while somebody writes; empty: nothing. None where
  /// that cannot be tried here.
  virtual Result<std::optional<std::string>> fault_under_writer(const BackupRequest&) {
    return std::optional<std::string>();
  }
  /// Writes what is wished, to stay; each as far as it can be. None where this engine makes no rows.
  virtual Result<std::optional<std::vector<record::Write>>> write(const std::vector<WriteWish>&) {
    return std::optional<std::vector<record::Write>>();
  }

  /// Evaluates one expectation against the catalog or by trial: held, what was found, SQLSTATE.
  struct Held {
    bool held = false;
    std::string found;
    std::string sqlstate;
  };
  virtual Result<Held> check_column(const std::string& column, const std::optional<bool>& nullable,
                                    const std::optional<std::string>& type,
                                    const std::optional<std::string>& default_value, bool exists) = 0;
  virtual Result<Held> check_constraint(const std::string& constraint,
                                        const std::optional<std::string>& on_delete,
                                        const std::optional<std::string>& on_update,
                                        const std::optional<bool>& validated, bool exists) = 0;
  virtual Result<Held> check_index(const std::string& index, const std::vector<std::string>& columns,
                                   const std::optional<bool>& unique, const std::optional<bool>& valid,
                                   bool exists) = 0;

  /// The plan of a query, not executed.
  struct Planned {
    std::optional<record::SqlError> error;
    record::QueryPlan plan;
  };
  virtual Result<Planned> plan(const QueryRequest& request) = 0;
  /// A session for queries that are compared. It must not outlive the instance.
  virtual Result<std::unique_ptr<QuerySession>> open_query_session(const QuerySettings& settings) = 0;
  /// The database as it stands, once more on the same server; it must not outlive this instance. Not for what
  /// is to be saved or kept.
  virtual Result<std::unique_ptr<Instance>> copy_beside() = 0;
  /// Puts it into the order in which queries are compared: vacuumed, what was touched analyzed, all written
  /// out.
  virtual Result<void> settle(const Touched& touched) = 0;
  /// Takes away what writes have left that were rolled back; statistics stay as they are.
  virtual Result<void> sweep() { return {}; }
  /// Bytes that a table (with what of it is stored apart), an index, or the values of columns of a table
  /// take; none where there is no such thing.
  virtual Result<std::optional<std::int64_t>> size_of_table(const std::string& table) = 0;
  virtual Result<std::optional<std::int64_t>> size_of_index(const std::string& index) = 0;
  virtual Result<std::optional<std::int64_t>> size_of_column(const std::string& column) = 0;
  /// An index as the engine names it, schema and quotes where SQL needs them.
  struct IndexInfo {
    std::string name;
    std::string table;
    std::vector<std::string> columns;
    bool plain = false;  ///< of columns alone and all rows, bound to no constraint, not unique
    std::int64_t bytes = 0;
  };
  /// All that are no system's, by name; of partitioned tables the parent's alone.
  virtual Result<std::vector<IndexInfo>> indexes() = 0;
  /// Builds the index anew; how long that took.
  virtual Result<record::Microseconds> rebuild_index(const std::string& index) = 0;

  /// Stops the server cleanly and moves what it held to `directory` (a path below our own that does not exist
  /// yet), to a place of its own on the memory disk where it lies there, or to a template database; the
  /// instance is over then.
  virtual Result<Image> save(const std::filesystem::path& directory) = 0;
  /// Is the server gone, although nobody here has stopped it? Sessions may outlive it for a moment.
  virtual bool has_ended() { return false; }
  /// Was it ended because the memory disk became too small for it?
  virtual bool ran_out_of_memory() const { return false; }

  /// Leaves the server running when we are gone; returns the line that connects to it.
  virtual Result<std::string> keep() = 0;
};

/// Loading trades everything for speed (no WAL where it can be left out), and lies in memory where there is
/// little to load; rehearsing writes WAL as production does.
/// What survives a crash is asked of a server that rehearses durably.
enum class Purpose { load, load_little, rehearse, rehearse_durably };

/// A kind of server that instances can be had of.
class Engine {
 public:
  virtual ~Engine() = default;

  /// All of the server that a snapshot depends on: kind, version, settings, architecture.
  virtual std::string fingerprint() const = 0;
  /// The ways in which sides can be stopped here.
  virtual std::vector<record::StopKind> stops() const = 0;
  /// False where images cannot live in the store (an existing server).
  virtual bool images_are_directories() const = 0;
  virtual const record::ServerInfo& server() const = 0;

  /// Makes the image of an empty database (initdb; template0 on an existing server), where save() would.
  virtual Result<Image> make_empty(const std::filesystem::path& directory, const std::string& database) = 0;
  /// An instance that starts from a copy of the image.
  virtual Result<std::unique_ptr<Instance>> restore(const Image& image, const std::string& database,
                                                    Purpose purpose) = 0;
  /// Can two instances of the image work at the same time without meeting, on processors of their own and
  /// with room to spare? Then restore() may be called from two threads.
  virtual bool has_room_beside(const Image& image) const = 0;
  /// Removes an image that save() made (not one of the store's).
  virtual Result<void> discard(const Image& image) = 0;
};

}  // namespace lockkeeper::engine
