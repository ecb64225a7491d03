#include "base/file.h"
#include "benchmarks/measures.h"

namespace lockkeeper::benchmarks {

namespace {

namespace fs = std::filesystem;

/// What the same takes by hand.
constexpr const char* k_by_hand = R"(
set -eu
bin=$1 psql=$2 work=$3
mkdir -m 0700 "$work/s"
trap '"$bin/pg_ctl" -D "$work/data" -m immediate stop >/dev/null 2>&1' EXIT
"$bin/initdb" -D "$work/data" -U postgres -A trust >/dev/null
"$bin/pg_ctl" -D "$work/data" -l "$work/log" -w -o "-c listen_addresses='' -c unix_socket_directories='$work/s'" \
  start >/dev/null
"$psql" -X -q -h "$work/s" -p 5432 -U postgres -d postgres -c 'SELECT 1' >/dev/null
)";

Result<double> by_hand(Workshop& workshop) {
  const auto work = workshop.new_directory("by-hand");
  if (!work) return failed(work);
  return workshop.time_command({"/bin/sh", "-c", k_by_hand, "by-hand", workshop.binaries().directory.string(),
                                workshop.tools().psql.string(), work->string()});
}

Result<fs::path> make_history(Workshop& workshop) {
  const auto directory = workshop.new_directory("first");
  if (!directory) return failed(directory);
  const fs::path stem = *directory / "001_create_notes";
  const auto up =
      write_file(stem.string() + ".up.sql", "CREATE TABLE notes (id bigint PRIMARY KEY, body text);\n");
  const auto down = write_file(stem.string() + ".down.sql", "DROP TABLE notes;\n");
  if (!up) return failed(up);
  if (!down) return failed(down);
  return *directory;
}

}  // namespace

Result<void> measure_first_statement(benchmark::State& state, Workshop& workshop, Ledger& ledger) {
  const auto history = make_history(workshop);
  if (!history) return failed(history);
  const fs::path store = workshop.new_path("store");
  const CheckRequest request{*history, {}, store, 0, 1};
  if (const auto filled = workshop.check(request); !filled) return failed(filled);
  std::vector<double> first;
  std::vector<double> wall;
  std::vector<double> hand;
  for ([[maybe_unused]] auto round : state) {
    const auto run = workshop.check(request);
    if (!run) return failed(run);
    // The program's own clock starts in main(); what lies before, and a little more, is in a run that does
    // nothing.
    const auto nothing = workshop.time_nothing();
    if (!nothing) return failed(nothing);
    const auto other = by_hand(workshop);
    if (!other) return failed(other);
    const double time = run->first_statement_ms + *nothing;
    state.SetIterationTime(time / 1000);
    first.push_back(time);
    wall.push_back(run->wall_ms);
    hand.push_back(*other);
  }
  state.counters["whole_run_ms"] = median(wall);
  ledger.add({"process start to first statement", "ms", "initdb; pg_ctl start; psql", first, hand,
              Judged::ours_at_most, 150});
  return {};
}

}  // namespace lockkeeper::benchmarks
