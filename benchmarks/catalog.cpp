#include <fmt/format.h>

#include "benchmarks/measures.h"
#include "engine/postgres/state_reader.h"

namespace lockkeeper::benchmarks {

namespace {

using engine::State;
using engine::postgres::StateReader;
constexpr int k_tables = 1000;
constexpr int k_tables_a_message = 100;

/// Eight columns, a primary key, another index, and a foreign key to the table before.
std::string table_sql(int number) {
  return fmt::format(
      "CREATE TABLE t{0} (id bigint PRIMARY KEY, before_id bigint, name text NOT NULL, amount numeric(12,2) "
      "DEFAULT 0,"
      " kind varchar(20), active boolean NOT NULL DEFAULT true, made_at timestamptz DEFAULT now(), note text,"
      " CONSTRAINT t{0}_before_fkey FOREIGN KEY (before_id) REFERENCES t{1});"
      "CREATE INDEX t{0}_name_idx ON t{0} (name, made_at);",
      number, number > 1 ? number - 1 : 1);
}

Result<void> make_tables(const Server& server) {
  auto session = server.connect("postgres");
  if (!session) return failed(session);
  for (int first = 1; first <= k_tables; first += k_tables_a_message) {
    std::string message;
    for (int number = first; number < first + k_tables_a_message; ++number) message += table_sql(number);
    if (const auto made = execute(*session, message); !made) return made;
  }
  return execute(*session, "ANALYZE");
}

/// What a stage does after a side that touched no rows.
Result<void> read_and_compare(StateReader& reader, const State& previous) {
  const auto now = reader.read(&previous, {});
  if (!now) return failed(now);
  if (now->tables.size() == k_tables && engine::compare(previous, *now).objects.empty()) return {};
  return failed(FailureKind::environment,
                fmt::format("the state read twice differs, or has not {} tables", k_tables));
}

}  // namespace

Result<void> measure_catalog(benchmark::State& state, Workshop& workshop, Ledger& ledger) {
  const auto server = workshop.start_server();
  if (!server) return failed(server);
  if (const auto made = make_tables(**server); !made) return made;
  const std::string connection = (*server)->connection("postgres");
  const std::vector<std::string> dump = {workshop.tools().pg_dump.string(), "-s", "-f", "/dev/null",
                                         connection};
  engine::Touched everything;
  everything.everything = true;
  std::vector<double> ours;
  std::vector<double> dumped;
  for ([[maybe_unused]] auto round : state) {
    StateReader reader(connection);
    // The first read of a session also hashes all tables and fills the backend's caches; a rehearsal pays it
    // once.
    const auto previous = reader.read(nullptr, everything);
    if (!previous) return failed(previous);
    const auto time = timed([&] { return read_and_compare(reader, *previous); });
    if (!time) return failed(time);
    const auto other = workshop.time_command(dump);
    if (!other) return failed(other);
    state.SetIterationTime(*time / 1000);
    ours.push_back(*time);
    dumped.push_back(*other);
  }
  ledger.add({"catalog of 1,000 tables, read and compared", "ms", "pg_dump -s", ours, dumped,
              Judged::ours_at_most, 150});
  return {};
}

}  // namespace lockkeeper::benchmarks
