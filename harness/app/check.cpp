#include "app/check.h"

#include <algorithm>
#include <atomic>
#include <ctime>
#include <fstream>
#include <iostream>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include "app/app.h"
#include "app/ground_options.h"
#include "app/memory_disk.h"
#include "app/reporting.h"
#include "app/target.h"
#include "app/unit.h"
#include "base/interrupt.h"
#include "base/run_directory.h"
#include "base/text.h"
#include "check/rule.h"
#include "record/names.h"
#include "scenario/load.h"

namespace lockkeeper::app {

namespace po = boost::program_options;
namespace fs = std::filesystem;

namespace {

po::options_description check_options() {
  po::options_description own("how much is driven");
  own.add_options()(
      "depth", po::value<std::string>()->value_name("DEPTH"),
      "quick: forward, back, forward again; standard (default): each up is also stopped in its "
      "middle, and each down tried behind what the new release may have written by then; full: "
      "each up also waits behind an open transaction and meets traffic, and the server is killed "
      "under it")("keep", "stop at the first failure, leave its database running and print how to connect");
  po::options_description all;
  all.add(selection_options()).add(history_options()).add(running_options()).add(own).add(output_options());
  return all;
}

/// Without a target: every scenario below ./scenarios, but for those that show faults.
Result<std::vector<std::string>> targets_of(const Parsed& parsed) {
  if (!parsed.positional.empty()) return parsed.positional;
  auto targets = scenarios_here();
  if (targets.empty()) {
    return failed(FailureKind::usage,
                  "nothing to check: no scenario or directory given, and no scenarios/ here",
                  "lockkeeper check path/to/migrations");
  }
  return targets;
}

/// What the command line says goes before what the scenario says.
Result<scenario::Scenario> scenario_of(const std::string& target, const Parsed& parsed) {
  auto scenario = target_of(target, parsed);
  if (!scenario) return scenario;
  for (const auto& fixture : parsed.texts("fixture")) scenario->fixtures.push_back({fixture, "", {}});
  if (parsed.has("baseline")) {
    auto allowed = scenario::load_baseline(parsed.text("baseline"), check::rule_ids());
    if (!allowed) return failed(allowed);
    scenario->allow.insert(scenario->allow.end(), allowed->begin(), allowed->end());
  }
  if (parsed.has("fixture-at")) scenario->fixture_at = parsed.text("fixture-at");
  if (parsed.has("scale")) scenario->scale = parsed.values["scale"].as<int>();
  if (scenario->scale < 1) return failed(FailureKind::usage, "--scale takes a number from 1 up");
  if (parsed.has("gate")) {
    const auto level = record::level_named(parsed.text("gate"));
    if (!level) {
      return failed(FailureKind::usage, fmt::format("--gate: unknown level '{}'", parsed.text("gate")),
                    "it is error, warning or note");
    }
    scenario->gate = *level;
  }
  if (parsed.has("depth")) {
    const std::string name = parsed.values["depth"].as<std::string>();
    scenario->depth = record::value_named<record::Depth>(name);
    if (!scenario->depth) {
      return failed(FailureKind::usage, fmt::format("--depth: '{}' is no depth", abridged(name, 40)),
                    "the depths are: " + join(record::names_of<record::Depth>(), ", "));
    }
  }
  return scenario;
}

Result<void> check_numbers(const Parsed& parsed) {
  if (parsed.values["jobs"].as<int>() < 1)
    return failed(FailureKind::usage, "--jobs takes a number from 1 up");
  if (parsed.values["seed-rows"].as<int>() < 0)
    return failed(FailureKind::usage, "--seed-rows takes a number, or 0 for no rows");
  if (parsed.values["timeout"].as<int>() < 0) {
    return failed(FailureKind::usage, "--timeout takes a number of seconds, or 0 for no limit");
  }
  return {};
}

/// By its first bytes (https://www.sqlite.org/fileformat2.html); other files are scenarios.
bool is_sqlite_file(const std::string& path) {
  constexpr std::string_view k_mark{"SQLite format 3\0", 16};
  std::ifstream file(path, std::ios::binary);
  std::string begin(k_mark.size(), ' ');
  return file.read(begin.data(), static_cast<std::streamsize>(begin.size())) && begin == k_mark;
}

/// Takes the databases among the targets out: the rows to start from.
Result<std::vector<std::string>> take_databases(std::vector<std::string>& targets) {
  std::vector<std::string> databases;
  std::erase_if(targets, [&](const std::string& target) {
    if (is_sqlite_file(target)) databases.push_back(target);
    return !databases.empty() && databases.back() == target;
  });
  if (targets.empty() && !databases.empty()) {
    return failed(
        FailureKind::usage,
        fmt::format("'{}' is a database: which migrations are to be tried on it?", databases.front()),
        fmt::format("name their folder too: lockkeeper check {} db/migrations", databases.front()));
  }
  return databases;
}

}  // namespace

po::options_description running_options() {
  po::options_description run("how it runs");
  run.add_options()("fixture", po::value<std::vector<std::string>>()->value_name("FILE"),
                    "rows to start from: .sql, .csv (also .gz, .zst), a pg_dump (may be repeated)")(
      "fixture-at", po::value<std::string>()->value_name("VERSION"),
      "the fixture holds the migrations up to this one already, as a dump of production does")(
      "scale", po::value<int>()->value_name("N"),
      "makes fixtures that read lockkeeper.scale N times as large")(
      "seed-rows", po::value<int>()->value_name("N")->default_value(10),
      "rows to make in each table where no fixture is named; 0: none (PostgreSQL)")(
      "timeout", po::value<int>()->value_name("SECONDS")->default_value(600),
      "longest that one statement may take; 0: no limit")(
      "jobs,j", po::value<int>()->value_name("N")->default_value(1), "scenarios at the same time")(
      "baseline", po::value<std::string>()->value_name("FILE"),
      "findings that the history had before, let through: see lockkeeper baseline")(
      "gate", po::value<std::string>()->value_name("LEVEL"),
      "lowest level that stops the merge: error, warning or note")("no-cache", "use and keep no snapshots");
  add_server_options(run);
  add_store_options(run);
  return run;
}

std::vector<std::string> scenarios_here() {
  std::vector<std::string> targets;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator("scenarios", error)) {
    const std::string path = entry.path().string();
    const bool negative = path.find("/negative/") != std::string::npos;
    if (!negative && (path.ends_with(".yaml") || path.ends_with(".yml"))) targets.push_back(path);
  }
  std::sort(targets.begin(), targets.end());
  return targets;
}

Result<std::vector<Unit>> units_of(const Parsed& parsed, const ServerOptions& servers) {
  auto targets = targets_of(parsed);
  if (!targets) return failed(targets);
  const auto databases = take_databases(*targets);
  if (!databases) return failed(databases);
  if (const auto sound = check_numbers(parsed); !sound) return failed(sound);
  std::vector<Unit> units;
  for (const std::string& target : *targets) {
    auto scenario = scenario_of(target, parsed);
    if (!scenario) return failed(scenario);
    for (const std::string& database : *databases) {
      scenario->fixtures.push_back({database, "", {}});
      if (scenario->engine.empty()) scenario->engine = "sqlite";
    }
    std::vector<std::optional<int>> versions(scenario->postgres_versions.begin(),
                                             scenario->postgres_versions.end());
    if (versions.empty() || servers.pg_version || servers.pg_bin || !servers.server_url.empty()) {
      versions = {servers.pg_version};
    }
    for (const auto version : versions) units.push_back({target, *scenario, version});
  }
  return units;
}

namespace {

std::string utc_now(const char* format) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[64];
  return {text, std::strftime(text, sizeof text, format, &parts)};
}

std::string host_name() {
  char name[256] = "";
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

record::Verdict verdict_of(const std::vector<record::Run>& runs) {
  record::Verdict verdict = record::Verdict::pass;
  for (const auto& run : runs) verdict = std::max(verdict, run.verdict);
  return verdict;
}

ExitCode ending_of(const record::Record& record) {
  // The most telling of several: a signal, then what kept us from judging, then findings.
  ExitCode code = ExitCode::pass;
  const auto rank = [](ExitCode candidate) {
    static constexpr ExitCode k_order[] = {ExitCode::pass,  ExitCode::nothing,     ExitCode::findings,
                                           ExitCode::usage, ExitCode::environment, ExitCode::interrupted};
    return std::find(std::begin(k_order), std::end(k_order), candidate) - std::begin(k_order);
  };
  for (const auto& run : record.runs) {
    ExitCode own = run.verdict == record::Verdict::fail ? ExitCode::findings : ExitCode::pass;
    if (run.failure) own = exit_code_of(run.failure->kind);
    if (rank(own) > rank(code)) code = own;
  }
  return code;
}

/// Runs the units on `jobs` threads; each thread makes and destroys its own servers. What is finished is in
/// the reports at once.
void run_all(const std::vector<Unit>& units, int jobs, const UnitContext& context, record::Record& record,
             const Reporting& reporting) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  const auto work = [&] {
    for (std::size_t at = next++; at < units.size(); at = next++) {
      record::Run run = run_unit(units[at], context);
      const std::lock_guard lock(mutex);
      record.runs[at] = std::move(run);
      reporting.write_files(record);
    }
  };
  std::vector<std::thread> threads;
  const auto wanted = std::min<std::size_t>(static_cast<std::size_t>(std::max(jobs, 1)), units.size());
  for (std::size_t extra = 1; extra < wanted; ++extra) threads.emplace_back(work);
  work();
  for (auto& thread : threads) thread.join();
}

}  // namespace

Result<ExitCode> check_command(const std::vector<std::string>& arguments) {
  const auto parsed = parse("check", check_options(), arguments);
  if (!parsed) return failed(parsed);
  if (parsed->help_shown) return ExitCode::pass;
  return judge_units(*parsed, units_of);
}

Result<ExitCode> judge_units(const Parsed& parsed, const MakeUnits& make_units) {
  const auto process_start = std::chrono::steady_clock::now();
  const auto reporting = Reporting::from(parsed);
  if (!reporting) return failed(reporting);
  record::Record record;
  record.lockkeeper_version = LOCKKEEPER_VERSION;
  record.started_at = utc_now("%Y-%m-%dT%H:%M:%SZ");
  record.host = host_name();
  const auto fail_early = [&](const Failure& failure) -> Result<ExitCode> {
    record::Run run;
    run.scenario = parsed.positional.empty() ? "" : parsed.positional.front();
    run.failure = failure;
    record.runs = {run};
    reporting->write_files(record);
    reporting->write_standard_output(record);
    return tl::unexpected<Failure>(failure);
  };
  const auto servers = server_options(parsed);
  if (!servers) return fail_early(servers.error());
  const auto units = make_units(parsed, *servers);
  if (!units) return fail_early(units.error());
  const auto store = open_store(parsed);
  if (!store) return fail_early(store.error());
  sweep_dead_runs(store->directory() / "runs");
  sweep_memory_disk();
  UnitContext context{parsed, *servers, &*store, reporting->console(), utc_now("%Y-%m-%d"), process_start};
  reporting->console().runs_ahead(units->size());
  record.runs.resize(units->size());
  for (std::size_t at = 0; at < units->size(); ++at) {
    record.runs[at].scenario = (*units)[at].scenario.name;
    record.runs[at].failure = Failure{FailureKind::interrupted, "not run", "", {}};
  }
  run_all(*units, parsed.values["jobs"].as<int>(), context, record, *reporting);
  record.verdict = verdict_of(record.runs);
  const bool written = reporting->write_files(record);
  reporting->console().finished(record);
  reporting->write_standard_output(record);
  const ExitCode code = ending_of(record);
  if (!written && code == ExitCode::pass) return ExitCode::environment;
  return code;
}

}  // namespace lockkeeper::app
