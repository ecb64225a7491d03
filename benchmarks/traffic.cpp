#include "engine/postgres/traffic.h"

#include <string>
#include <vector>

#include <fmt/format.h>

#include "benchmarks/measures.h"

namespace lockkeeper::benchmarks {

namespace {

constexpr int k_rows = 300'000;

/// Work that keeps nobody from reading or writing the table, so that no probe waits: all 200 a second run.
const std::vector<std::string> k_migration = {"CREATE INDEX CONCURRENTLY t_name ON t (name, amount)",
                                              "DROP INDEX CONCURRENTLY t_name"};

Result<void> migrate(engine::postgres::Connection& session) {
  for (const std::string& sql : k_migration) {
    if (const auto done = execute(session, sql); !done) return done;
  }
  return {};
}

}  // namespace

Result<void> measure_traffic(benchmark::State& state, Workshop& workshop, Ledger& ledger) {
  const auto server = workshop.start_server();
  if (!server) return failed(server);
  auto session = (*server)->connect("postgres");
  if (!session) return failed(session);
  const auto made = execute(
      *session, fmt::format("CREATE TABLE t AS SELECT i AS id, md5(i::text) AS name, i % 97 AS amount FROM "
                            "generate_series(1, {}) i; ALTER TABLE t ADD PRIMARY KEY (id); ANALYZE t",
                            k_rows));
  if (!made) return made;
  if (const auto warmed = migrate(*session); !warmed) return warmed;
  std::vector<double> busy;
  std::vector<double> quiet;
  for ([[maybe_unused]] auto round : state) {
    std::optional<Failure> failure;
    const auto traffic = engine::postgres::run_in_traffic((*server)->connection("postgres"), {"public.t"}, {},
                                                          [&]() -> Result<engine::SideOutcome> {
                                                            if (const auto done = migrate(*session); !done)
                                                              return failed(done);
                                                            return engine::SideOutcome{};
                                                          });
    if (!traffic) return failed(traffic);
    const auto alone = timed([&] { return migrate(*session); });
    if (!alone) return failed(alone);
    const double time = std::chrono::duration<double, std::milli>(traffic->duration).count();
    state.SetIterationTime(time / 1000);
    busy.push_back(time);
    quiet.push_back(*alone);
  }
  ledger.add({"up among 200 probes a second, against none", "ms", "no probes", busy, quiet,
              Judged::ratio_at_most, 1.05});
  return {};
}

}  // namespace lockkeeper::benchmarks
