#include <fmt/format.h>

#include "benchmarks/measures.h"
#include "engine/postgres/state_reader.h"

namespace lockkeeper::benchmarks {

namespace {

using engine::postgres::Connection;
using engine::postgres::StateReader;
constexpr std::int64_t k_rows = 1'000'000;

/// Rows that come from their own number, of the types that tables mostly have.
Result<void> make_table(Connection& session) {
  const std::string sql = fmt::format(
      "CREATE TABLE t (id bigint PRIMARY KEY, customer integer NOT NULL, name text NOT NULL, note text,"
      " amount numeric(12,2), made_at timestamptz NOT NULL, day date, active boolean NOT NULL, reference "
      "uuid);"
      "INSERT INTO t SELECT n, n * 7919 % 100000, 'name ' || md5(n::text),"
      " CASE WHEN n % 3 = 0 THEN repeat(md5('note' || n), 2) END, (n * 104729 % 900000) / 100.0,"
      " timestamptz '2020-01-01 00:00:00+00' + n * interval '97 seconds', date '2020-01-01' + (n % "
      "2000)::integer,"
      " n % 7 = 0, md5('reference' || n)::uuid FROM generate_series(1, {}::bigint) AS n;",
      k_rows);
  if (const auto made = execute(session, sql); !made) return made;
  return execute(session, "VACUUM ANALYZE t");
}

Result<void> hash_content(StateReader& reader) {
  engine::Touched everything;
  everything.everything = true;
  const auto now = reader.read(nullptr, everything);
  if (!now) return failed(now);
  if (now->tables.size() == 1 && now->tables[0].rows == k_rows) return {};
  return failed(FailureKind::environment, "the state does not hold the rows that were made");
}

}  // namespace

Result<void> measure_content(benchmark::State& state, Workshop& workshop, Ledger& ledger) {
  const auto server = workshop.start_server();
  if (!server) return failed(server);
  auto session = (*server)->connect("postgres");
  if (!session) return failed(session);
  if (const auto made = make_table(*session); !made) return made;
  StateReader reader((*server)->connection("postgres"));
  if (const auto warmed = hash_content(reader); !warmed) return warmed;
  std::vector<double> ours;
  std::vector<double> plain;
  for ([[maybe_unused]] auto round : state) {
    const auto time = timed([&] { return hash_content(reader); });
    if (!time) return failed(time);
    const auto other = timed([&] { return execute(*session, "SELECT sum(hashtext(t::text)) FROM t"); });
    if (!other) return failed(other);
    state.SetIterationTime(*time / 1000);
    ours.push_back(*time);
    plain.push_back(*other);
  }
  ledger.add({"content of 1,000,000 rows, speed", "ms", "sum(hashtext)", ours, plain, Judged::ratio_at_least,
              0.8, true});
  return {};
}

}  // namespace lockkeeper::benchmarks
