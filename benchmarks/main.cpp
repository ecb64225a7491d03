#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "base/interrupt.h"
#include "benchmarks/measures.h"

namespace lockkeeper::benchmarks {

namespace {

struct Entry {
  const char* name;
  Result<void> (*measure)(benchmark::State&, Workshop&, Ledger&);
  int rounds;
};

constexpr Entry k_entries[] = {
    {"job", measure_job, 5},
    {"first_statement", measure_first_statement, 9},
    {"catalog", measure_catalog, 9},
    {"traffic", measure_traffic, 15},
    {"content", measure_content, 7},
    {"sqlite_job", measure_sqlite_job, 3},
    {"sqlite_file", measure_sqlite_file, 7},
    {"memory", measure_memory_of_last, 1},
    {"all_memory", measure_memory, 1},
};

// Takes minutes, so it has to be asked for: --benchmark_filter=memory
constexpr const char* k_default_filter = "--benchmark_filter=-all_memory";

void register_all(Workshop& workshop, Ledger& ledger) {
  for (const Entry& entry : k_entries) {
    const auto measure = [&workshop, &ledger, entry](benchmark::State& state) {
      const auto measured =
          interrupted() ? Result<void>(failed_by_interrupt()) : entry.measure(state, workshop, ledger);
      if (measured) return;
      ledger.add_failure(entry.name, measured.error());
      state.SkipWithError(measured.error().message.c_str());
    };
    benchmark::RegisterBenchmark(entry.name, measure)
        ->Iterations(entry.rounds)
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
}

/// The options for Google Benchmark: ours, and a filter where none was given.
std::vector<char*> with_filter(int argc, char** argv, std::string& filter) {
  std::vector<char*> options(argv, argv + argc);
  for (const std::string_view option : options) {
    if (option.starts_with("--benchmark_filter")) return options;
  }
  options.push_back(filter.data());
  return options;
}

int run_all(int argc, char** argv) {
  watch_signals();
  std::string filter = k_default_filter;
  std::vector<char*> options = with_filter(argc, argv, filter);
  int count = static_cast<int>(options.size());
  options.push_back(nullptr);
  benchmark::Initialize(&count, options.data());
  if (benchmark::ReportUnrecognizedArguments(count, options.data())) return 2;
  auto workshop = Workshop::open();
  if (!workshop) {
    fmt::print(stderr, "{}\n", to_string(workshop.error()));
    return 3;
  }
  Ledger ledger;
  register_all(*workshop, ledger);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  fmt::print("{}", ledger.table());
  if (interrupted()) return 130;
  // What was measured never fails the run; what could not be measured does.
  return ledger.failed() ? 3 : 0;
}

}  // namespace

}  // namespace lockkeeper::benchmarks

int main(int argc, char** argv) {
  lockkeeper::engine::postgres::forget_session_environment();
  return lockkeeper::benchmarks::run_all(argc, argv);
}
