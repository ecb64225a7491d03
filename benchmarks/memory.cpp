#include <fmt/format.h>

#include "base/file.h"
#include "benchmarks/measures.h"

namespace lockkeeper::benchmarks {

namespace {

namespace fs = std::filesystem;
constexpr int k_migrations = 1000;
constexpr int k_last = 50;

/// Each migration makes a table of eight columns with an index and a foreign key to the table before.
Result<void> write_migration(const fs::path& directory, int number) {
  const std::string up = fmt::format(
      "CREATE TABLE t{0} (\n  id bigint PRIMARY KEY,\n  before_id bigint REFERENCES t{1},\n  name text NOT "
      "NULL,\n"
      "  amount numeric(12,2) DEFAULT 0,\n  kind varchar(20),\n  active boolean NOT NULL DEFAULT true,\n"
      "  made_at timestamptz DEFAULT now(),\n  note text\n);\nCREATE INDEX t{0}_before_id_idx ON t{0} "
      "(before_id);\n",
      number, number > 1 ? number - 1 : 1);
  const std::string stem = (directory / fmt::format("{:04}_create_t{}", number, number)).string();
  if (const auto written = write_file(stem + ".up.sql", up); !written) return written;
  return write_file(stem + ".down.sql", fmt::format("DROP TABLE t{};\n", number));
}

/// Runs once: the peak hardly varies, and the run takes minutes.
Result<void> measure(benchmark::State& state, Workshop& workshop, Ledger& ledger, int last) {
  const auto directory = workshop.new_directory("history");
  if (!directory) return failed(directory);
  for (int number = 1; number <= k_migrations; ++number) {
    if (const auto written = write_migration(*directory, number); !written) return written;
  }
  const fs::path store = workshop.new_path("store");
  const auto judged = static_cast<std::size_t>(last > 0 ? last : k_migrations);
  std::vector<double> peaks;
  for ([[maybe_unused]] auto round : state) {
    const auto run = workshop.check({*directory, {}, store, last, judged, true});
    if (!run) return failed(run);
    state.SetIterationTime(run->wall_ms / 1000);
    peaks.push_back(static_cast<double>(run->peak_bytes) / (1024 * 1024));
  }
  ledger.add({fmt::format("memory, 1,000 migrations, {} on trial", judged),
              "MB",
              "",
              peaks,
              {},
              Judged::ours_at_most,
              64});
  return {};
}

}  // namespace

Result<void> measure_memory(benchmark::State& state, Workshop& workshop, Ledger& ledger) {
  return measure(state, workshop, ledger, 0);
}

Result<void> measure_memory_of_last(benchmark::State& state, Workshop& workshop, Ledger& ledger) {
  return measure(state, workshop, ledger, k_last);
}

}  // namespace lockkeeper::benchmarks
