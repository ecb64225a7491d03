#include "engine/postgres/lock_queue.h"

#include <future>
#include <thread>

#include <fmt/format.h>

#include "base/interrupt.h"
#include "base/text.h"
#include "engine/postgres/connection.h"

namespace lockkeeper::engine::postgres {

namespace {

using Clock = std::chrono::steady_clock;
using record::Microseconds;
using record::QueueWait;

constexpr std::chrono::milliseconds k_look_every{2};

Microseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<Microseconds>(Clock::now() - start);
}

/// The transaction that has read the table. Its lock is that of any SELECT.
Result<Connection> reader_of(const std::string& connection, const std::string& table) {
  auto reader = Connection::open(connection);
  if (!reader) return reader;
  if (const auto begun = reader->rows("BEGIN"); !begun) return failed(begun);
  // As a SELECT would: a lock on it, and on its parts.
  const auto read = reader->rows(fmt::format("LOCK TABLE {} IN ACCESS SHARE MODE", table));
  if (!read) return failed(read);
  return reader;
}

/// Whoever waits for one of these tables with a lock that keeps readers out; true when somebody was seen.
Result<bool> look_for_wait(Connection& watcher, QueueWait& seen, std::string& awaited) {
  const auto waiting = watcher.rows(
      "SELECT l.mode, quote_ident(n.nspname) || '.' || quote_ident(c.relname), a.query FROM pg_locks l JOIN "
      "pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_stat_activity "
      "a "
      "ON a.pid = l.pid WHERE NOT l.granted AND l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' "
      "AND "
      "a.datname = current_database() LIMIT 1");
  if (!waiting) return failed(waiting);
  if (waiting->empty()) return false;
  const auto& row = waiting->front();
  seen.mode = row[0].value_or("");
  awaited = row[1].value_or("");
  seen.statement = row[2].value_or("");
  return true;
}

/// How long an ordinary read of the table takes now.
Result<Microseconds> read_once(const std::string& connection, const std::string& table) {
  auto session = Connection::open(connection);
  if (!session) return failed(session);
  const auto start = Clock::now();
  const auto read = session->ask(fmt::format("SELECT 1 FROM {} LIMIT 1", table));
  if (!read) return failed(read);
  return since(start);
}

}  // namespace

Result<QueueWait> queue_behind_reader(const std::string& connection, const std::string& table,
                                      std::chrono::milliseconds open,
                                      const std::function<Result<SideOutcome>()>& run) {
  QueueWait seen;
  seen.table = table;
  seen.open = open;
  auto reader = reader_of(connection, table);
  if (!reader) return failed(reader);
  auto watcher = Connection::open(connection);
  if (!watcher) return failed(watcher);
  std::string awaited;
  auto side = std::async(std::launch::async, run);
  // From here on the side is awaited on every path: the reader lets go first.
  std::future<Result<Microseconds>> other;
  std::optional<Failure> trouble;
  const auto start = Clock::now();
  const auto ended = [&] { return side.wait_for(k_look_every) == std::future_status::ready; };
  while (!ended() && Clock::now() < start + open && !interrupted() && !trouble) {
    if (other.valid()) continue;
    const auto found = look_for_wait(*watcher, seen, awaited);
    if (!found) trouble = found.error();
    if (found && *found) other = std::async(std::launch::async, read_once, connection, awaited);
  }
  const bool released = reader->run_to_end("ROLLBACK");
  const auto outcome = side.get();
  if (other.valid()) {
    const auto read = other.get();
    if (read) seen.others = *read;
    if (!read && !trouble) trouble = read.error();
  }
  if (!outcome) return failed(outcome);
  if (trouble) return tl::unexpected<Failure>(*trouble);
  if (!released) return failed(FailureKind::environment, "the reading transaction did not end");
  seen.error = outcome->run.error;
  // pg_stat_activity cuts long statements: the record's own says where it stands.
  for (const record::StatementRecord& statement : outcome->run.statements) {
    if (seen.statement.empty() || !statement.text.starts_with(seen.statement.substr(0, 500))) continue;
    seen.statement = statement.text;
    seen.location = statement.location;
    break;
  }
  return seen;
}

}  // namespace lockkeeper::engine::postgres
