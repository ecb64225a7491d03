#include "engine/postgres/side_runner.h"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "base/interrupt.h"
#include "base/text.h"
#include "engine/postgres/client.h"
#include "engine/postgres/observer.h"
#include "engine/postgres/session_traces.h"
#include "engine/postgres/statement_text.h"
#include "engine/postgres/temporary_files.h"
#include "record/names.h"

namespace lockkeeper::engine::postgres {

namespace {

using record::SideRun;
using record::SqlError;
using record::StatementRecord;
using record::TransactionShape;
using sql::Part;
using sql::Statement;
using sql::StatementKind;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds k_own_timeout{60'000};
constexpr std::chrono::seconds k_recovery{30};
constexpr std::chrono::seconds k_wait_begins{10};
constexpr std::chrono::milliseconds k_recovery_look{20};
constexpr std::chrono::milliseconds k_hurry{100};

/// What a new session begins with (a spare one that was opened before a side changed it begins with something
/// else), and whether sessions may serve one side after another.
std::string beginning_query() {
  return fmt::format(
      "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn, "
      "(SELECT string_agg(setdatabase::text || '/' || setrole::text || '/' || setconfig::text, ';') FROM "
      "pg_db_role_setting), "
      "(SELECT string_agg(concat(evtname, evtenabled), ';') FROM pg_event_trigger WHERE evtevent = 'login'), "
      // Before 15 a session's own table counters cannot be brought back to nothing.
      "CASE WHEN current_setting('server_version_num')::int >= 150000 THEN NOT ({}) ELSE false END",
      k_functions_may_leave_traces);
}

// role and session_authorization are hidden from pg_settings (GUC_NO_SHOW_ALL).
const std::string k_leaked =
    "SELECT name, reset_val, setting FROM pg_catalog.pg_settings "
    "WHERE source = 'session' AND setting IS DISTINCT FROM reset_val "
    "UNION ALL SELECT 'role', 'none', pg_catalog.current_setting('role') "
    "WHERE pg_catalog.current_setting('role') <> 'none' "
    "UNION ALL SELECT 'session_authorization', r.rolname, session_user::text "
    "FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a "
    "JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid WHERE session_user <> r.rolname ORDER BY 1";

// Within a transaction a session sees others' activity as it was when it first looked.
constexpr const char* k_look_anew = "DO $$ BEGIN PERFORM pg_stat_clear_snapshot(); END $$; ";

// Temporary objects leave a schema behind. The flush empties the session's own table counters, in which the
// next side must find nothing but what it does itself.
const std::string k_parting = "SELECT pg_catalog.pg_my_temp_schema(), pg_catalog.pg_stat_force_next_flush()";

record::Microseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<record::Microseconds>(Clock::now() - start);
}

bool stops_by_timeout(record::StopKind how) {
  return how == record::StopKind::lock_timeout || how == record::StopKind::statement_timeout;
}

bool may_leave_traces(const sql::Script& script) {
  for (const Part& part : script.parts) {
    for (const auto& source : part.sources) {
      if (postgres::may_leave_traces(source->text())) return true;
    }
  }
  return false;
}

// 25001 active_sql_transaction: "… cannot run inside a transaction block"; 2D000
// invalid_transaction_termination: COMMIT or ROLLBACK inside a procedure or DO that was called in a
// transaction block.
bool refuses_transaction(const SqlError& error, const Statement& statement) {
  return statement.kind != StatementKind::set_transaction &&
         (error.sqlstate == "25001" || error.sqlstate == "2D000");
}

/// As the server names it where it says that it can only be used in transaction blocks; empty for what it
/// takes outside of them too.
std::string wanting_a_block(const Statement& statement) {
  if (statement.kind != StatementKind::ordinary) return "";
  const std::string word = lower(statement.text.substr(0, statement.text.find_first_of(" \t\r\n\f/-")));
  if (word == "savepoint") return "SAVEPOINT";
  if (word == "release") return "RELEASE SAVEPOINT";
  if (word == "rollback") return "ROLLBACK TO SAVEPOINT";
  if (word == "lock") return "LOCK TABLE";
  return word == "declare" ? "DECLARE CURSOR" : "";
}

}  // namespace

/// One side under way.
class Execution {
 public:
  Execution(Client& session, Client& committed, const std::string& connection, std::uint64_t wal,
            const SideRequest& request)
      : m_session(session),
        m_committed(committed),
        m_connection(connection),
        m_request(request),
        m_observer(session, committed) {
    m_observer.begin_at(wal);
    m_run.side = request.side;
    if (request.script->parts.empty()) return;
    m_run.shape = request.script->parts.front().shape;
    m_run.shape_reason = request.script->parts.front().shape_reason;
  }

  Result<void> run();
  SideOutcome outcome() && { return {std::move(m_run), m_stopped_at, m_observer.touched(), ""}; }
  void watch_log(const std::filesystem::path& log) { m_temporary.emplace(log); }
  /// The statement that turned out not to run in a transaction, when that is why the side failed and it may
  /// be tried without one.
  const Statement* refused() const {
    return m_part != nullptr && m_part->may_leave_transaction && runs_in_one() ? m_refused : nullptr;
  }

 private:
  /// The rows that psql would send behind the statement.
  std::optional<std::string_view> rows_of(const Statement& statement) const {
    if (!m_part->sends_copy_data || statement.kind != StatementKind::copy_from_stdin) return std::nullopt;
    return statement.copy_data;
  }
  bool runs_in_one() const { return m_part->shape == TransactionShape::one_transaction; }
  void enter(const Part& part);
  Result<bool> run(const Part& part);
  Result<bool> run(const Statement& statement, std::size_t index);
  Result<bool> open_implicit_transaction(const Statement& statement, std::size_t index);
  Result<bool> close_implicit_transaction(const Statement& statement, std::size_t index);
  Result<bool> begin_again(const Statement& statement);
  Result<bool> refuse_savepoint(const Statement& statement);
  Result<bool> keep_books();
  Result<bool> come_to(std::size_t statement, const Location& location, const Statement* next = nullptr);
  Result<void> hold_all_tables();
  Result<void> begin_and_wait(const Statement& statement);
  Result<bool> wait_for_lock(const std::string& since);
  Result<void> wait_in_next_transaction();
  Result<bool> run_hurried(const Statement& statement, std::size_t index);
  Result<bool> run_on(const Statement& statement, std::size_t index);
  Result<bool> execute(const Statement& statement, std::size_t index);
  Result<bool> execute_alone(const Statement& statement, std::size_t index);
  Result<bool> execute_bare(const Statement& statement, std::size_t index);
  Result<bool> control(const std::string& sql, const Location& location);
  Result<bool> before_commit(const Location& location);
  Result<void> look(std::size_t index, StatementRecord& statement);
  Result<void> finish();
  void fail(const SqlError& error, const Location& location);
  Location end_of_part() const;

  Client& m_session;
  Client& m_committed;
  const std::string& m_connection;
  const SideRequest& m_request;
  Observer m_observer;
  SideRun m_run;
  const Part* m_part = nullptr;  ///< the one under way
  const Statement* m_refused = nullptr;
  std::size_t m_look_from = 0;  ///< index of the first statement after which looking is harmless
  bool m_implicit = false;      ///< the open transaction is the one that the server makes of a message
  bool m_booked = false;
  std::optional<TemporaryFiles> m_temporary;
  std::unique_ptr<Client> m_second_writer;  ///< that a statement is kept waiting by
  std::size_t m_come = 0;                   ///< statements of all parts so far
  Clock::time_point m_start = Clock::now();
  std::optional<record::Microseconds> m_stopped_at;
};

/// False where the side is to be stopped before this statement: its session, or the server, is ended, and
/// gone when this returns.
Result<bool> Execution::come_to(std::size_t statement, const Location& location, const Statement* next) {
  if (!m_request.stop || m_request.stop->before != statement || stops_by_timeout(m_request.stop->how))
    return true;
  if (m_request.stop->how == record::StopKind::server_killed) {
    if (next != nullptr && next->kind == StatementKind::no_transaction) {
      if (const auto waiting = begin_and_wait(*next); !waiting) return failed(waiting);
    }
    m_stopped_at = since(m_start);
    m_request.kill_server();
    fail({"", "the server was killed", "", "", ""}, location);
    return false;
  }
  if (m_request.stop->how == record::StopKind::ended_inside && next != nullptr) {
    if (const auto waiting = begin_and_wait(*next); !waiting) return failed(waiting);
  }
  m_stopped_at = since(m_start);
  const int process = m_session.server_process();
  const std::string end = fmt::format("SELECT pg_terminate_backend({})", process);
  const std::string still_there = fmt::format(
      "{}SELECT 1 FROM pg_stat_activity WHERE pid = {} UNION ALL SELECT 1 FROM pg_locks WHERE pid = {}",
      k_look_anew, process, process);
  auto reply = m_committed.send(end, k_own_timeout);
  for (const auto until = Clock::now() + k_recovery; reply && !reply->error && Clock::now() < until;) {
    reply = m_committed.send(still_there, k_own_timeout, Rows::keep);
    if (reply && reply->rows.empty()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (!reply) return failed(reply);
  if (reply->error) {  // the side itself has ended the session that we look from
    m_stopped_at.reset();
    return true;
  }
  if (m_request.stop->how == record::StopKind::ended_inside)
    reply = m_committed.send("ROLLBACK", k_own_timeout);
  if (!reply) return failed(reply);
  m_second_writer.reset();
  fail({"57P01", "terminating connection due to administrator command", "", "", ""}, location);
  return false;
}

/// As a writer does that has written to every one of them.
Result<void> Execution::hold_all_tables() {
  auto reply = m_committed.send(
      "BEGIN; SELECT format('LOCK TABLE %s IN ROW EXCLUSIVE MODE', string_agg(c.oid::regclass::text, ', ')) "
      "FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384 AND c.relpersistence <> 't'",
      k_own_timeout, Rows::keep);
  if (!reply) return failed(reply);
  if (!reply->error && !reply->rows.empty() && !reply->rows.back()[0].empty())
    reply = m_committed.send(reply->rows.back()[0], k_own_timeout);
  if (!reply) return failed(reply);
  return {};
}

/// Runs the statement with a timeout, while a writer has all tables open. Where it does not run into that, it
/// was not stopped.
Result<bool> Execution::run_hurried(const Statement& statement, std::size_t index) {
  const std::string setting(name_of(m_request.stop->how));
  auto reply =
      m_session.send(fmt::format("SELECT current_setting('{}')", setting), k_own_timeout, Rows::keep);
  if (!reply) return failed(reply);
  const std::string before = reply->rows.empty() ? "0" : reply->rows[0][0];
  if (const auto held = hold_all_tables(); !held) return failed(held);
  reply = m_session.send(fmt::format("SET {} = {}", setting, k_hurry.count()), k_own_timeout);
  if (!reply) return failed(reply);
  m_stopped_at = since(m_start);
  auto going = run_on(statement, index);
  const auto released = m_committed.send("ROLLBACK", k_own_timeout);
  if (!released) return failed(released);
  if (!going) return going;
  // 55P03 lock_not_available, 57014 query_canceled
  const bool stopped = m_run.error && (m_run.error->sqlstate == "55P03" || m_run.error->sqlstate == "57014");
  if (!stopped) m_stopped_at.reset();
  if (!*going) return going;
  reply = m_session.send(fmt::format("SET {} = '{}'", setting, before), k_own_timeout);
  if (!reply) return failed(reply);
  return going;
}

/// Sends the statement while a writer has all tables open, and returns when it waits for that one, or has
/// ended without.
Result<void> Execution::begin_and_wait(const Statement& statement) {
  if (const auto held = hold_all_tables(); !held) return failed(held);
  // Before the server has taken the statement up, the session still shows the end of the one before.
  auto reply = m_committed.send("SELECT clock_timestamp()", k_own_timeout, Rows::keep);
  if (!reply) return failed(reply);
  const std::string sent = reply->rows.empty() ? "-infinity" : reply->rows.back()[0];
  m_session.post(std::string(statement.text));
  m_observer.lost_sight();  // what it commits on its way is seen by nobody
  const auto waits = wait_for_lock(fmt::format("query_start >= '{}'", sent));
  if (!waits) return failed(waits);
  // A procedure that waits in its first transaction has done nothing yet.
  return *waits && statement.kind == StatementKind::ordinary ? wait_in_next_transaction() : Result<void>();
}

/// Until the session waits for a lock, where `since` holds, or has ended its statement; true for the former.
Result<bool> Execution::wait_for_lock(const std::string& since) {
  const std::string waits = fmt::format(
      "{}SELECT wait_event_type = 'Lock' AND state = 'active' FROM pg_stat_activity WHERE pid = {} AND {} "
      "AND "
      "(wait_event_type = 'Lock' OR state <> 'active')",
      k_look_anew, m_session.server_process(), since);
  for (const auto until = Clock::now() + k_wait_begins; Clock::now() < until && !interrupted();) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const auto reply = m_committed.send(waits, k_own_timeout, Rows::keep);
    if (!reply) return failed(reply);
    if (!reply->rows.empty()) return reply->rows[0][0] == "t";
  }
  return false;
}

/// Where the statement waits in its first transaction (a later one begins after it), another writer queues
/// behind the one whose table is waited for: when that one lets go, the statement goes
/// on to its COMMIT, and meets the other in the transaction after it.
Result<void> Execution::wait_in_next_transaction() {
  const int process = m_session.server_process();
  auto reply = m_committed.send(
      fmt::format(
          "{0}SELECT l.relation::regclass, a.xact_start FROM pg_locks l JOIN pg_stat_activity a ON a.pid "
          "= l.pid WHERE l.pid = {1} AND NOT l.granted AND l.locktype = 'relation' AND a.xact_start = "
          "a.query_start",
          k_look_anew, process),
      k_own_timeout, Rows::keep);
  if (!reply) return failed(reply);
  if (reply->error || reply->rows.empty()) return {};
  const std::string began = reply->rows[0][1];
  m_second_writer = std::make_unique<Client>(m_connection);
  if (const auto opened = m_second_writer->ready(); !opened) return failed(opened);
  m_second_writer->post(fmt::format("BEGIN; LOCK TABLE {} IN ROW EXCLUSIVE MODE", reply->rows[0][0]));
  const std::string queued = fmt::format("{}SELECT 1 FROM pg_locks WHERE pid = {} AND NOT granted",
                                         k_look_anew, m_second_writer->server_process());
  for (const auto until = Clock::now() + k_wait_begins; Clock::now() < until && !interrupted();) {
    reply = m_committed.send(queued, k_own_timeout, Rows::keep);
    if (!reply) return failed(reply);
    if (!reply->rows.empty()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  if (reply = m_committed.send("ROLLBACK", k_own_timeout); !reply) return failed(reply);
  const auto waits = wait_for_lock(fmt::format("(xact_start > '{}' OR state <> 'active')", began));
  if (!waits) return failed(waits);
  return {};
}

/// SET TRANSACTION must stand before any query of its transaction, and a look is a query.
void Execution::enter(const Part& part) {
  m_part = &part;
  m_look_from = 0;
  for (std::size_t index = 0; index < part.statements.size(); ++index) {
    if (part.statements[index].kind == StatementKind::set_transaction) m_look_from = index;
  }
}

/// Of a file that one side has to itself the end, else of the last statement.
Location Execution::end_of_part() const {
  if (m_part->statements.empty()) {
    return m_part->sources.empty() ? Location{} : m_part->sources.back()->locate(0);
  }
  const Statement& last = m_part->statements.back();
  return last.source->locate(last.offset + last.text.size());
}

void Execution::fail(const SqlError& error, const Location& location) {
  if (m_run.error) return;
  m_run.error = error;
  m_run.error_location = location;
}

Result<void> Execution::look(std::size_t index, StatementRecord& statement) {
  if (m_request.observe == Observe::no || index < m_look_from || !m_session.in_transaction()) return {};
  return m_observer.look(statement);
}

/// Sends one statement as it stands and records it; false where it failed.
Result<bool> Execution::execute(const Statement& statement, std::size_t index) {
  StatementRecord result;
  result.text = shortened(statement.text, k_text_limit);
  result.location = statement.location;
  const bool sampled =
      m_request.observe == Observe::yes && m_session.idle() &&
      (statement.kind == StatementKind::ordinary || statement.kind == StatementKind::no_transaction);
  if (sampled) {
    if (const auto begun = m_observer.begin_sampling(m_session.server_process()); !begun)
      return failed(begun);
  }
  const auto start = Clock::now();
  auto reply = m_session.send(std::string(statement.text), m_request.statement_timeout, Rows::drop,
                              rows_of(statement));
  result.duration = since(start);
  if (sampled) {
    if (const auto seen = m_observer.end_sampling(result); !seen) return failed(seen);
  }
  if (!reply) return failed(reply);
  if (m_temporary) result.temporary_bytes = m_temporary->bytes_since(m_session.server_process());
  result.rows_changed = rows_changed(reply->command);
  result.notices = std::move(reply->notices);
  if (reply->error) {
    Location place = statement.location;
    if (reply->error_position > 0) {
      place = statement.source->locate(statement.offset +
                                       byte_of_character(statement.text, reply->error_position));
    }
    fail(*reply->error, place);
    if (refuses_transaction(*reply->error, statement)) m_refused = &statement;
    result.error = std::move(reply->error);
  } else if (const auto looked = look(index, result); !looked) {
    return failed(looked);
  }
  m_run.statements.push_back(std::move(result));
  return !m_run.error;
}

/// BEGIN, COMMIT and the like that the file does not hold itself.
Result<bool> Execution::control(const std::string& sql, const Location& location) {
  const auto reply = m_session.send(sql, m_request.statement_timeout);
  if (!reply) return failed(reply);
  if (reply->error) fail(*reply->error, location);
  return !reply->error;
}

/// Deferred triggers may change rows too; without a changed row so far none is due.
Result<bool> Execution::before_commit(const Location& location) {
  if (m_request.observe == Observe::no || !m_session.in_transaction() || !m_observer.saw_row_changes())
    return true;
  auto error = m_observer.look_before_commit();
  if (!error) return failed(error);
  if (*error) fail(**error, location);
  return !error->has_value();
}

/// A statement of an autocommit side, in a transaction of its own where it can be watched.
Result<bool> Execution::execute_alone(const Statement& statement, std::size_t index) {
  const bool ordinary =
      (statement.kind == StatementKind::ordinary && wanting_a_block(statement).empty()) || rows_of(statement);
  if (m_request.observe == Observe::no || !ordinary) return execute_bare(statement, index);
  if (auto begun = control("BEGIN", statement.location); !begun || !*begun) return begun;
  auto done = execute(statement, index);
  if (!done) return done;
  if (*done) done = before_commit(statement.location);
  if (!done) return done;
  if (!*done) {
    if (m_session.in_failed_transaction()) (void)control("ROLLBACK", statement.location);
    if (m_refused == nullptr) return false;
    // Seen, not guessed: it refuses a transaction, so it gets none, and nothing is known of its locks.
    m_refused = nullptr;
    m_run.error.reset();
    m_run.error_location.reset();
    m_run.statements.pop_back();
    return execute_bare(statement, index);
  }
  done = control("COMMIT", statement.location);
  m_observer.transaction_ended();
  return done;
}

Result<bool> Execution::execute_bare(const Statement& statement, std::size_t index) {
  const bool outside = m_session.idle();
  const bool commits = statement.kind == StatementKind::end &&
                       !lower(statement.text.substr(0, 8)).starts_with("rollback") &&
                       !lower(statement.text.substr(0, 5)).starts_with("abort");
  if (commits) {
    auto fired = before_commit(statement.location);
    if (!fired || !*fired) return fired;
  }
  auto done = execute(statement, index);
  if (statement.kind == StatementKind::end) m_observer.transaction_ended();
  const bool may_change_rows =
      statement.kind == StatementKind::ordinary ||
      (statement.kind == StatementKind::no_transaction && !leaves_rows_alone(statement.text, statement.kind));
  if (outside && may_change_rows) m_observer.lost_sight();
  return done;
}

/// A message of several statements runs in a transaction that the server makes of it, up to a COMMIT of its
/// own and from there on anew.
Result<bool> Execution::open_implicit_transaction(const Statement& statement, std::size_t index) {
  const auto& statements = m_part->statements;
  const auto same = [&](std::size_t other) {
    return other < statements.size() && statements[other].message == statement.message;
  };
  if (statement.kind == StatementKind::begin) m_implicit = false;
  if (statement.kind == StatementKind::begin || !m_session.idle()) return true;
  m_implicit = false;
  // Not behind another such one either: it has ended transactions of its own, and the last is still open.
  const bool fresh = index == 0 || statements[index - 1].message != statement.message ||
                     statements[index - 1].kind == StatementKind::end;
  if (m_part->pipelines && fresh && statement.kind == StatementKind::no_transaction) return true;
  m_implicit = same(index + 1) || (index > 0 && same(index - 1));
  return m_implicit ? control("BEGIN", statement.location) : Result<bool>(true);
}

/// The transaction that the server makes of a message has no savepoints (xact.c: DefineSavepoint), the one
/// that we begin instead of it would.
Result<bool> Execution::refuse_savepoint(const Statement& statement) {
  const std::string name = m_implicit ? wanting_a_block(statement) : "";
  if (name.find("SAVEPOINT") == std::string::npos) return true;
  StatementRecord refused;
  refused.text = shortened(statement.text, k_text_limit);
  refused.location = statement.location;
  refused.error = SqlError{"25P01", name + " can only be used in transaction blocks", "", "", ""};
  fail(*refused.error, statement.location);
  m_run.statements.push_back(std::move(refused));
  return false;
}

/// After a COMMIT or ROLLBACK of the file's own, where the tool's driver goes on in a transaction.
Result<bool> Execution::begin_again(const Statement& statement) {
  const bool ended = runs_in_one() && m_part->begins_again && m_session.idle();
  return ended ? control("BEGIN", statement.location) : Result<bool>(true);
}

Result<bool> Execution::close_implicit_transaction(const Statement& statement, std::size_t index) {
  const auto& statements = m_part->statements;
  const bool last = index + 1 == statements.size() || statements[index + 1].message != statement.message;
  if (!last || !m_implicit || !m_session.in_transaction()) return true;
  m_implicit = false;
  auto fired = before_commit(statement.location);
  if (!fired || !*fired) return fired;
  auto done = control("COMMIT", statement.location);
  m_observer.transaction_ended();
  return done;
}

Result<bool> Execution::run(const Statement& statement, std::size_t index) {
  const std::size_t number = m_come++;
  auto going = come_to(number, statement.location, m_session.idle() ? &statement : nullptr);
  if (!going || !*going) return going;
  const bool hurried = m_request.stop && m_request.stop->before == number && m_session.idle() &&
                       stops_by_timeout(m_request.stop->how);
  return hurried ? run_hurried(statement, index) : run_on(statement, index);
}

Result<bool> Execution::run_on(const Statement& statement, std::size_t index) {
  auto going = begin_again(statement);
  if (going && *going) going = open_implicit_transaction(statement, index);
  if (going && *going) going = refuse_savepoint(statement);
  if (!going || !*going) return going;
  const bool bare = runs_in_one() || m_session.in_transaction();
  going = bare ? execute_bare(statement, index) : execute_alone(statement, index);
  if (!going || !*going) return going;
  if (runs_in_one() && m_session.idle() && !m_part->begins_again) m_observer.lost_sight();
  return close_implicit_transaction(statement, index);
}

Result<bool> Execution::run(const Part& part) {
  enter(part);
  Result<bool> going = true;
  if (runs_in_one()) {
    going = control("BEGIN", part.statements.empty() ? end_of_part() : part.statements[0].location);
  }
  for (std::size_t index = 0; going && *going && index < part.statements.size(); ++index) {
    going = run(part.statements[index], index);
  }
  if (!going || !*going || !runs_in_one()) return going;
  if (&part == &m_request.script->parts.back()) going = come_to(m_come, end_of_part());
  if (!going || !*going) return going;
  going = before_commit(end_of_part());
  if (going && *going && &part == &m_request.script->parts.back()) going = keep_books();
  if (going && *going && !part.error_where_ended.empty() && m_session.idle()) {
    fail({"", part.error_where_ended, "the file has ended the transaction that the tool began", "", ""},
         end_of_part());
    going = false;
  }
  if (going && *going) going = control("COMMIT", end_of_part());
  m_observer.transaction_ended();
  return going;
}

/// The tool's own note of the side: in its transaction where it has one.
Result<bool> Execution::keep_books() {
  if (m_booked || m_request.bookkeeping.empty()) return true;
  m_booked = true;
  const auto reply = m_session.send(m_request.bookkeeping, m_request.statement_timeout);
  if (!reply) return failed(reply);
  if (!reply->error) return true;
  SqlError error = *reply->error;
  error.message = "the tool cannot note in its own table that the side is done: " + error.message;
  fail(error, end_of_part());
  return false;
}

Result<void> Execution::run() {
  const auto start = m_start = Clock::now();
  Result<bool> going = true;
  for (const Part& part : m_request.script->parts) {
    if (going && *going) going = run(part);
  }
  if (going && *going && m_part != nullptr && !m_session.in_transaction()) going = keep_books();
  if (!going) return failed(going);
  if (m_request.observe == Observe::no) m_observer.lost_sight();
  m_run.duration = since(start);
  return finish();
}

/// What the side leaves behind in its session.
Result<void> Execution::finish() {
  const bool open = m_session.in_transaction() || m_session.in_failed_transaction();
  m_run.left_transaction_open = open && !m_run.error;
  // As the end of the session would, but awaited.
  if (open) {
    const auto reply = m_session.send("ROLLBACK", k_own_timeout);
    if (!reply) return failed(reply);
  }
  return {};
}

SideRunner::SideRunner(std::string connection) : m_connection(std::move(connection)) {}
SideRunner::~SideRunner() = default;

void SideRunner::open_ahead(std::unique_ptr<Client> first) {
  if (first && !m_observer) m_observer = std::move(first);
  if (!m_observer) m_observer = std::make_unique<Client>(m_connection);
  if (!m_spare) m_spare = std::make_unique<Client>(m_connection);
}

void SideRunner::close() {
  m_spare.reset();
  m_leaving.reset();
  m_observer.reset();
  m_prepared = false;
}

/// Where the server stands before a side; the spare session is thrown away where an earlier side has changed
/// what a new session begins with.
Result<SideRunner::Beginning> SideRunner::look_ahead() {
  const auto ask = [this]() -> Result<Reply> {
    if (m_observer && !m_observer->alive()) close();
    open_ahead();
    if (const auto opened = m_observer->ready(); !opened) return failed(opened);
    return m_observer->send((m_prepared ? "" : "PREPARE lockkeeper_beginning AS " + beginning_query() + ";") +
                                "EXECUTE lockkeeper_beginning",
                            k_own_timeout, Rows::keep);
  };
  auto reply = ask();
  // That a side has ended this session too shows only when it is used; one that crashed the server, when it
  // recovers ("the database system is …", 57P03), which may be after somebody has still got in.
  const auto unsettled = [&] {
    if (reply) return reply->error && !m_observer->alive();
    return reply.error().message.find("the database system is") != std::string::npos;
  };
  for (const auto end = Clock::now() + k_recovery; unsettled() && Clock::now() < end && !interrupted();) {
    if (!reply) std::this_thread::sleep_for(k_recovery_look);
    if (!reply) close();
    reply = ask();
  }
  if (!reply) return failed(reply);
  if (reply->error || reply->rows.empty()) {
    return failed(FailureKind::environment,
                  "cannot look at the server: " + (reply->error ? reply->error->message : "no answer"));
  }
  m_prepared = true;
  const auto& row = reply->rows[0];
  const std::string beginning = row[1] + "|" + row[2];
  const bool stale = beginning != m_session_beginning;
  m_session_beginning = beginning;
  // A server whose end our own session has not noticed yet lets no other in.
  for (const auto end = Clock::now() + k_recovery; stale || !m_spare->ready() || !m_spare->alive();) {
    m_spare = std::make_unique<Client>(m_connection);
    const auto opened = m_spare->ready();
    if (opened) break;
    const bool recovers = opened.error().message.find("the database system is") != std::string::npos;
    if (!recovers || Clock::now() > end || interrupted()) return failed(opened);
    std::this_thread::sleep_for(k_recovery_look);
    if (!m_observer->alive()) return look_ahead();
  }
  return Beginning{std::strtoull(row[0].c_str(), nullptr, 10), row[3] == "t"};
}

Result<SideOutcome> SideRunner::run(const SideRequest& request) {
  const bool refused_before = request.stop && request.stop->in_no_transaction;
  const auto inside = [](const Part& part) { return part.shape == TransactionShape::one_transaction; };
  if (refused_before && std::any_of(request.script->parts.begin(), request.script->parts.end(), inside))
    return run_without_transaction(request, "the server was seen to run it in no transaction");
  if (const auto taken = take_back(); !taken) return failed(taken);
  const auto beginning = look_ahead();
  if (!beginning) return failed(beginning);
  auto session = std::move(m_spare);
  if (const auto opened = session->ready(); !opened) return failed(opened);
  const bool may_return = beginning->sessions_may_return && !may_leave_traces(*request.script);
  if (!may_return) m_spare = std::make_unique<Client>(m_connection);
  Execution execution(*session, *m_observer, m_connection, beginning->wal, request);
  if (request.observe == Observe::yes && !m_log.empty()) execution.watch_log(m_log);
  if (const auto done = execution.run(); !done) return failed(done);
  if (const Statement* refused = execution.refused(); refused != nullptr) {
    session.reset();
    return run_without_transaction(request,
                                   fmt::format("the server runs the statement at {}:{} in no transaction",
                                               refused->location.line, refused->location.column));
  }
  auto outcome = std::move(execution).outcome();
  const bool observed = request.observe == Observe::yes;
  if (m_spare && observed) m_spare->post(Observer::warm_up());
  if (outcome.run.error || (!observed && !may_return)) return outcome;
  session->post(observed && may_return ? k_leaked + ";" + k_parting : observed ? k_leaked : k_parting);
  m_leaving = std::move(session);
  m_may_return = may_return;
  return outcome;
}

Result<SideOutcome> SideRunner::run_without_transaction(const SideRequest& request,
                                                        const std::string& reason) {
  sql::Script script = *request.script;
  for (Part& part : script.parts) {
    part.shape = TransactionShape::autocommit;
    part.shape_reason = reason;
  }
  SideRequest alone = request;
  alone.script = &script;
  return run(alone);
}

/// The last side's session answers for what it leaves. Where that is nothing that DISCARD ALL would not undo,
/// the session serves the next side: a new backend costs more than a small migration.
Result<Reply> SideRunner::take_back() {
  if (!m_leaving) return Reply{};
  auto session = std::move(m_leaving);
  auto reply = session->collect(k_own_timeout, Rows::keep);
  if (!reply || !m_may_return || reply->error || reply->rows.empty() || !session->alive()) return reply;
  const bool has_temporary_schema = reply->rows.back()[0] != "0";
  reply->rows.pop_back();
  if (has_temporary_schema) return reply;
  session->post("DISCARD ALL");
  m_spare = std::move(session);
  return reply;
}

Result<std::vector<record::SettingChange>> SideRunner::leaked_settings() {
  std::vector<record::SettingChange> changes;
  const auto reply = take_back();
  if (!reply) return failed(reply);
  for (const auto& row : reply->rows) changes.push_back({row[0], row[1], row[2]});
  return changes;
}

}  // namespace lockkeeper::engine::postgres
