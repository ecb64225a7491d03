#include "engine/sqlite/sqlite.h"

#include <fmt/format.h>

#include "base/file.h"
#include "base/process.h"
#include "benchmarks/measures.h"
#include "snapshot/store.h"

/// The same job on SQLite, beside what its own shell does.
namespace lockkeeper::benchmarks {

namespace {

namespace fs = std::filesystem;
constexpr std::int64_t k_job_rows = 100'000;
constexpr std::int64_t k_large_rows = 600'000;  // 100 MB
constexpr std::size_t k_changes = 20;
constexpr std::uint64_t k_store_limit = 10ULL << 30;

/// `findings`: an exit code of 1 is an end like any other.
enum class Findings { none, may_be };

Result<void> run_whole(const std::vector<std::string>& argv, Findings findings = Findings::none) {
  Command command;
  command.argv = argv;
  RunOptions options;
  options.deadline = std::chrono::minutes(5);
  const auto finished = run(command, options);
  if (!finished) return failed(finished);
  if (finished->ok() || (findings == Findings::may_be && finished->status() == "exit code 1")) return {};
  return failed(FailureKind::environment,
                fmt::format("{}: {}: {}", argv.front(), finished->status(), finished->errors));
}

/// By the shell that the other side works with too.
Result<void> make_database(const fs::path& file, std::int64_t rows) {
  const std::string numbers =
      fmt::format("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) ", rows);
  return run_whole(
      {"sqlite3", "-bail", file.string(),
       "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INT NOT NULL, name TEXT NOT NULL, "
       "note TEXT, amount REAL, status TEXT NOT NULL)",
       numbers + "INSERT INTO orders SELECT i, i * 7919 % 10000, 'name ' || hex(i * 104729), CASE WHEN i "
                 "% 3 THEN printf('%0100d', i) END, i / 100.0, CASE i % 4 WHEN 0 THEN 'open' ELSE "
                 "'done' END FROM n"});
}

/// Four kinds of change, five times each.
Result<void> write_migrations(const fs::path& directory) {
  for (std::size_t i = 0; i < k_changes; ++i) {
    std::string up;
    std::string down;
    switch (i % 4) {
      case 0:
        up = fmt::format("ALTER TABLE orders ADD COLUMN c{} TEXT;", i);
        down = fmt::format("ALTER TABLE orders DROP COLUMN c{};", i);
        break;
      case 1:
        up = fmt::format("CREATE INDEX i{} ON orders (status, amount);", i);
        down = fmt::format("DROP INDEX i{};", i);
        break;
      case 2:
        up = fmt::format(
            "CREATE TABLE t{0} (id INTEGER PRIMARY KEY, v TEXT);\nINSERT INTO t{0} SELECT id, name FROM "
            "orders "
            "WHERE id < 1000;",
            i);
        down = fmt::format("DROP TABLE t{};", i);
        break;
      default:
        up = fmt::format(
            "ALTER TABLE orders ADD COLUMN d{0} INT NOT NULL DEFAULT 0;\nUPDATE orders SET d{0} = id WHERE "
            "status "
            "= 'open';",
            i);
        down = fmt::format("ALTER TABLE orders DROP COLUMN d{};", i);
    }
    for (const auto& [side, text] : {std::pair("up", up), std::pair("down", down)}) {
      const fs::path file = directory / fmt::format("{:03}_change.{}.sql", i + 1, side);
      if (const auto written = write_file(file, text + "\n"); !written) return written;
    }
  }
  return {};
}

}  // namespace

Result<void> measure_sqlite_job(benchmark::State& state, Workshop& workshop, Ledger& ledger) {
  const auto directory = workshop.new_directory("sqlite-job");
  if (!directory) return failed(directory);
  const fs::path database = *directory / "job.db";
  const fs::path migrations = *directory / "migrations";
  fs::create_directory(migrations);
  if (const auto made = make_database(database, k_job_rows); !made) return made;
  if (const auto written = write_migrations(migrations); !written) return written;
  const std::string store = workshop.new_path("store").string();
  const std::vector<std::string> ours_argv = {workshop.program().string(),
                                              "check",
                                              database.string(),
                                              migrations.string(),
                                              "--store",
                                              store,
                                              "--depth",
                                              "quick",
                                              "--quiet"};
  if (const auto warmed = run_whole(ours_argv, Findings::may_be); !warmed) return warmed;
  std::vector<double> ours;
  std::vector<double> shell;
  for ([[maybe_unused]] auto round : state) {
    const auto time = timed([&] { return run_whole(ours_argv, Findings::may_be); });
    if (!time) return failed(time);
    const auto work = workshop.new_directory("sqlite-shell");
    if (!work) return failed(work);
    const fs::path script = fs::path(LOCKKEEPER_JOB_DIR) / "sqlite_job.sh";
    const auto other = timed([&] {
      return run_whole({"/bin/sh", script.string(), work->string(), database.string(), migrations.string()});
    });
    if (!other) return failed(other);
    state.SetIterationTime(*time / 1000);
    ours.push_back(*time);
    shell.push_back(*other);
  }
  ledger.add(
      {"SQLite: job, warm store, against shell", "ms", "shell job", ours, shell, Judged::ratio_at_most, 0.5});
  return {};
}

Result<void> measure_sqlite_file(benchmark::State& state, Workshop& workshop, Ledger& ledger) {
  const auto directory = workshop.new_directory("sqlite-file");
  if (!directory) return failed(directory);
  const auto store = snapshot::Store::open(*directory / "store", k_store_limit);
  if (!store) return failed(store);
  const auto draft = store->draft();
  if (!draft) return failed(draft);
  if (const auto made = make_database(*draft / "large.db", k_large_rows); !made) return made;
  const auto entry = store->publish("large", *draft, "100 MB", "");
  if (!entry) return failed(entry);
  const auto engine = engine::sqlite::files({{}, *directory});
  const fs::path file = entry->directory / "large.db";
  std::vector<double> ours;
  std::vector<double> copy;
  std::vector<double> hashed;
  std::vector<double> sha3;
  for ([[maybe_unused]] auto round : state) {
    std::unique_ptr<engine::Instance> instance;
    const auto provided = timed([&]() -> Result<void> {
      auto restored = engine->restore({entry->directory, "large"}, "large", engine::Purpose::rehearse);
      if (!restored) return failed(restored);
      instance = std::move(*restored);
      return {};
    });
    if (!provided) return failed(provided);
    const fs::path copied_to = *directory / "copy.db";
    const auto copied = timed([&] { return run_whole({"cp", file.string(), copied_to.string()}); });
    if (!copied) return failed(copied);
    fs::remove(copied_to);
    const auto content = timed([&]() -> Result<void> {
      engine::Touched everything;
      everything.everything = true;
      const auto now = instance->read_state(nullptr, everything);
      return now ? Result<void>() : failed(now);
    });
    if (!content) return failed(content);
    const auto other = timed([&] { return run_whole({"sqlite3", "-readonly", file.string(), ".sha3sum"}); });
    if (!other) return failed(other);
    state.SetIterationTime(*provided / 1000);
    ours.push_back(*provided);
    copy.push_back(*copied);
    hashed.push_back(*content);
    sha3.push_back(*other);
  }
  ledger.add({"SQLite: 100 MB provided, against cp", "ms", "cp", ours, copy, Judged::ratio_at_most, 1.2});
  ledger.add({"SQLite: content of 100 MB, speed", "ms", ".sha3sum", hashed, sha3, Judged::ratio_at_least, 0.5,
              true});
  return {};
}

}  // namespace lockkeeper::benchmarks
