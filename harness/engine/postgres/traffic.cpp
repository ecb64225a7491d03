#include "engine/postgres/traffic.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/postgres/connection.h"

namespace lockkeeper::engine::postgres {

namespace {

using Clock = std::chrono::steady_clock;
using record::Microseconds;
using record::ProbeWait;
using record::Traffic;

/// Two probers, so 200 probes a second.
constexpr std::chrono::milliseconds k_every{10};
/// How long the probes run before the side begins: what they take when nobody is in their way.
constexpr std::chrono::milliseconds k_before{50};
/// A probe that takes as long is asked about.
constexpr std::chrono::milliseconds k_suspicious{3};
/// A query that takes as long by itself is not asked again and again.
constexpr std::chrono::milliseconds k_longest_query{20};
/// Waits that are kept.
constexpr std::size_t k_most_waits = 500;

Microseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<Microseconds>(Clock::now() - start);
}

/// What is done again and again: a read of a table, a write, or a critical query.
struct Errand {
  std::string table;
  std::string query;
  std::string sql;
};

/// As a writer's: the lock of every INSERT, UPDATE and DELETE, and one row's, without a change and so without
/// triggers, dead rows or WAL.
Errand errand_on(const std::string& table, bool writes) {
  if (!writes) return {table, "", fmt::format("SELECT 1 FROM {} LIMIT 1", table)};
  return {table, "",
          fmt::format("BEGIN; LOCK TABLE {0} IN ROW EXCLUSIVE MODE; SELECT 1 FROM {0} LIMIT 1 FOR NO KEY "
                      "UPDATE; ROLLBACK",
                      table)};
}

/// One session that goes on reading or writing, one errand after the other.
class Prober {
 public:
  Prober(Connection session, int process, std::vector<Errand> errands, bool writes, Clock::time_point start)
      : m_session(std::move(session)),
        m_process(process),
        m_errands(std::move(errands)),
        m_writes(writes),
        m_start(start) {}

  void work(const std::atomic<bool>& stop) {
    for (std::size_t at = 0; !stop; at = (at + 1) % m_errands.size()) {
      if (!probe(m_errands[at])) return;
      std::this_thread::sleep_for(k_every);
    }
  }

  int process() const { return m_process; }
  /// What it waits for now, where it has for a while and nobody has said why.
  const Errand* unexplained() {
    const std::lock_guard lock(m_mutex);
    if (!m_under_way || m_explained || Clock::now() - m_probe_start < k_suspicious) return nullptr;
    return m_errand;
  }
  void explain(const Errand* errand, const std::string& statement, const std::string& mode) {
    const std::lock_guard lock(m_mutex);
    if (!m_under_way || m_errand != errand) return;
    m_statement = statement;
    m_mode = mode;
    m_explained = true;
  }
  const std::vector<ProbeWait>& samples() const { return m_samples; }

 private:
  bool probe(const Errand& errand) {
    {
      const std::lock_guard lock(m_mutex);
      m_errand = &errand;
      m_probe_start = Clock::now();
      m_under_way = true;
      m_explained = false;
      m_statement.clear();
      m_mode.clear();
    }
    const auto answered = m_session.ask(errand.sql);
    const std::lock_guard lock(m_mutex);
    m_under_way = false;
    if (!answered) return false;
    if (!answered->sqlstate.empty()) {  // the table has gone, or has another name: no sample
      return errand.sql.find("ROLLBACK") == std::string::npos || m_session.run_to_end("ROLLBACK");
    }
    ProbeWait sample;
    sample.table = errand.table;
    sample.query = errand.query;
    sample.writes = m_writes;
    sample.at = std::chrono::duration_cast<Microseconds>(m_probe_start - m_start);
    sample.waited = since(m_probe_start);
    sample.statement = m_statement;
    sample.mode = m_mode;
    m_samples.push_back(std::move(sample));
    return true;
  }

  Connection m_session;
  int m_process;
  std::vector<Errand> m_errands;
  bool m_writes;
  Clock::time_point m_start;
  std::vector<ProbeWait> m_samples;
  std::mutex m_mutex;
  bool m_under_way = false;
  bool m_explained = false;
  const Errand* m_errand = nullptr;
  std::string m_statement;
  std::string m_mode;
  Clock::time_point m_probe_start;
};

/// Asks, for each probe that hangs, whose lock it stands behind.
void watch(Connection& watcher, std::vector<std::unique_ptr<Prober>>& probers,
           const std::atomic<bool>& stop) {
  while (!stop) {
    std::this_thread::sleep_for(k_suspicious);
    for (const auto& prober : probers) {
      const Errand* const errand = prober->unexplained();
      if (errand == nullptr) continue;
      const auto blocking =
          watcher.ask(fmt::format("SELECT a.query, coalesce((SELECT string_agg(DISTINCT l.mode, ', ') FROM "
                                  "pg_locks l WHERE l.pid = a.pid "
                                  "AND l.locktype = 'relation' AND l.granted AND l.mode NOT IN "
                                  "('AccessShareLock', 'RowShareLock', 'RowExclusiveLock') AND ($1 = '' OR "
                                  "l.relation = to_regclass($1))), 'a row lock') FROM "
                                  "pg_stat_activity a WHERE a.pid = ANY (pg_blocking_pids({})) LIMIT 1",
                                  prober->process()),
                      {errand->table});
      if (!blocking) return;
      if (blocking->rows.empty()) continue;
      prober->explain(errand, blocking->rows[0][0].value_or(""), blocking->rows[0][1].value_or(""));
    }
  }
}

/// The queries that run, quickly enough to be asked again and again; they may write, and so are taken back.
Result<std::vector<Errand>> errands_of(Connection& session,
                                       const std::vector<Instance::TrafficQuery>& queries) {
  std::vector<Errand> errands;
  for (const auto& query : queries) {
    const std::string name = fmt::format("lockkeeper_{}", errands.size());
    std::vector<std::string> values;
    for (const auto& value : query.request.parameters)
      values.push_back(value ? session.quoted_text(*value) : "NULL");
    const std::string arguments = values.empty() ? "" : "(" + join(values, ", ") + ")";
    const Errand errand{"", query.name, fmt::format("BEGIN; EXECUTE {}{}; ROLLBACK", name, arguments)};
    const auto prepared = session.ask(fmt::format("PREPARE {} AS {}", name, query.request.sql));
    if (!prepared) return failed(prepared);
    if (!prepared->sqlstate.empty()) continue;
    auto time = k_longest_query;
    for (int round = 0; round < 2; ++round) {  // the first warms
      const auto start = Clock::now();
      const auto asked = session.ask(errand.sql);
      if (!asked) return failed(asked);
      time = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
      if (asked->sqlstate.empty()) continue;
      if (!session.run_to_end("ROLLBACK")) return errands;
      time = k_longest_query;
      break;
    }
    if (time < k_longest_query)
      errands.push_back(errand);
    else if (const auto dropped = session.ask("DEALLOCATE " + name); !dropped)
      return failed(dropped);
  }
  return errands;
}

Result<std::unique_ptr<Prober>> prober_of(const std::string& connection,
                                          const std::vector<std::string>& tables,
                                          const std::vector<Instance::TrafficQuery>& queries, bool writes,
                                          Clock::time_point start) {
  auto session = Connection::open(connection);
  if (!session) return failed(session);
  const auto process = session->rows("SELECT pg_backend_pid()");
  if (!process) return failed(process);
  const int number = std::atoi((*process)[0][0].value_or("0").c_str());
  std::vector<Errand> errands;
  for (const std::string& table : tables) errands.push_back(errand_on(table, writes));
  auto asked = errands_of(*session, queries);
  if (!asked) return failed(asked);
  errands.insert(errands.end(), asked->begin(), asked->end());
  return std::make_unique<Prober>(std::move(*session), number, std::move(errands), writes, start);
}

}  // namespace

Result<Traffic> run_in_traffic(const std::string& connection, const std::vector<std::string>& tables,
                               const std::vector<Instance::TrafficQuery>& queries,
                               const std::function<Result<SideOutcome>()>& run) {
  const auto start = Clock::now();
  std::vector<std::unique_ptr<Prober>> probers;
  for (const bool writes : {false, true}) {
    auto prober = prober_of(connection, tables, writes ? std::vector<Instance::TrafficQuery>() : queries,
                            writes, start);
    if (!prober) return failed(prober);
    probers.push_back(std::move(*prober));
  }
  auto watcher = Connection::open(connection);
  if (!watcher) return failed(watcher);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (auto& prober : probers) threads.emplace_back([&] { prober->work(stop); });
  threads.emplace_back([&] { watch(*watcher, probers, stop); });
  std::this_thread::sleep_for(k_before);
  const auto begun = since(start);
  const auto outcome = run();
  const auto ended = since(start);
  std::this_thread::sleep_for(k_every);
  stop = true;
  for (auto& thread : threads) thread.join();
  if (!outcome) return failed(outcome);
  Traffic traffic;
  traffic.duration = ended - begun;
  for (const auto& prober : probers) {
    for (ProbeWait sample : prober->samples()) {
      if (sample.at + sample.waited < begun) {
        traffic.longest_before = std::max(traffic.longest_before, sample.waited);
        continue;
      }
      ++traffic.probes;
      sample.at -= begun;
      traffic.waits.push_back(std::move(sample));
    }
  }
  // The longest are kept where there are too many, and shown as they came.
  std::sort(traffic.waits.begin(), traffic.waits.end(),
            [](const ProbeWait& a, const ProbeWait& b) { return a.waited > b.waited; });
  if (traffic.waits.size() > k_most_waits) traffic.waits.resize(k_most_waits);
  std::sort(traffic.waits.begin(), traffic.waits.end(),
            [](const ProbeWait& a, const ProbeWait& b) { return a.at < b.at; });
  return traffic;
}

}  // namespace lockkeeper::engine::postgres
