#include "app/unit.h"

#include <fmt/format.h>

#include "app/memory_disk.h"
#include "app/target.h"
#include "base/interrupt.h"
#include "base/run_directory.h"
#include "base/text.h"
#include "check/rule.h"
#include "engine/postgres/connection.h"
#include "history/load.h"
#include "rehearsal/gate.h"
#include "rehearsal/rehearse.h"
#include "rehearsal/release.h"

namespace lockkeeper::app {

namespace {

/// Reports are read by many.
std::string without_password(const std::string& url) {
  using namespace engine::postgres;
  return parameter_of(url, "password").empty() ? url : without_parameter(url, "password");
}

/// The command that brings the first failure back, with its database left open.
std::string reproduction(const Unit& unit, const UnitContext& context, const record::Run& run) {
  static constexpr const char* k_commands[] = {"check", "release", "bench"};
  std::string command = fmt::format("lockkeeper {} {}{}", k_commands[static_cast<int>(unit.kind)],
                                    shell_word(unit.target), unit.options);
  for (const auto& finding : run.findings) {
    const bool stops = finding.level >= run.gate && !finding.allowed && !finding.expected;
    if (!stops || unit.kind != UnitKind::check) continue;
    // The chain is judged over all of the trial; one step of it would not bring it back.
    if (finding.rule != "chain-broken" && !finding.migration.empty())
      command += " --only " + shell_word(finding.migration);
    break;
  }
  for (const auto& fixture : context.options.texts("fixture")) command += " --fixture " + shell_word(fixture);
  const auto& seed = context.options.values["seed-rows"];
  if (!seed.defaulted()) command += fmt::format(" --seed-rows {}", seed.as<int>());
  for (const char* option : {"fixture-at", "format", "engine", "transaction", "depth", "pg-bin"}) {
    if (context.options.has(option))
      command += fmt::format(" --{} {}", option, shell_word(context.options.text(option)));
  }
  if (context.options.has("server"))
    command += " --server " + shell_word(without_password(context.options.text("server")));
  if (unit.version) command += fmt::format(" --pg-version {}", *unit.version);
  return unit.kind == UnitKind::check ? command + " --keep" : command;
}

enum class Memory { no, yes };

/// What the files alone tell, where there is nothing to rehearse.
record::Run unrehearsed(const Unit& unit, const history::History& history, const history::Trial& trial) {
  record::Run run = rehearsal::described(unit.scenario, history, trial);
  run.chain.skipped_reason = "nothing was rehearsed";
  run.failure = history.refused;
  return run;
}

Result<record::Run> rehearse_unit(const Unit& unit, const UnitContext& context, Memory memory) {
  auto history = read_history(unit.scenario);
  if (!history) return failed(history);
  if (history->refused) return unrehearsed(unit, *history, {});
  const auto trial = history::select(*history, unit.scenario.selection, unit.scenario.fixture_at);
  if (!trial) return failed(trial);
  if (trial->judged.empty()) return unrehearsed(unit, *history, *trial);
  const auto directory = RunDirectory::create(context.store->directory() / "runs");
  if (!directory) return failed(directory);
  const bool may = memory == Memory::yes && !context.options.has("keep");
  const auto in_memory = may ? memory_run_directory() : std::optional<RunDirectory>();
  const bool cached = !context.options.has("no-cache");
  const RunPlaces places{directory->path(), in_memory ? in_memory->path() : std::filesystem::path(),
                         cached ? context.store->directory() / "versions" : std::filesystem::path()};
  const auto engine = history->dialect == sql::Dialect::sqlite
                          ? make_file_engine(context.servers, unit.scenario, *history, places)
                          : make_engine(context.servers, unit.version, places);
  if (!engine) return failed(engine);
  rehearsal::Options options;
  options.statement_timeout = std::chrono::seconds(context.options.values["timeout"].as<int>());
  const bool can_seed = history->dialect != sql::Dialect::sqlite;
  const auto& seed_rows = context.options.values["seed-rows"];
  const int wanted =
      seed_rows.defaulted() ? unit.scenario.seed_rows.value_or(seed_rows.as<int>()) : seed_rows.as<int>();
  options.seed_rows = can_seed ? wanted : 0;
  options.depth = unit.scenario.depth.value_or(record::Depth::standard);
  options.keep = context.options.has("keep") ? rehearsal::Keep::yes : rehearsal::Keep::no;
  options.work_directory = directory->path();
  options.store = cached ? context.store : nullptr;
  options.process_start = context.process_start;
  auto& console = context.console;
  options.started = [&](const record::Run& run, std::size_t on_trial) { console.run_started(run, on_trial); };
  options.migration_done = [&](const record::Run& run, const record::MigrationRecord& migration) {
    console.migration_done(run, migration);
  };
  options.step_done = [&](const record::Run& run, const record::ReleaseStep& step) {
    console.step_done(run, step);
  };
  options.progress = [&](const std::string& what) { console.progress(unit.scenario.name, what); };
  if (context.options.has("without-time")) options.gate_time = rehearsal::GateTime::no;
  const auto drive = unit.kind == UnitKind::release ? rehearsal::rehearse_release
                     : unit.kind == UnitKind::bench ? rehearsal::bench
                                                    : rehearsal::rehearse;
  return drive(**engine, unit.scenario, *history, *trial, options);
}

/// Did a side run into a full disk (53100 disk_full)?
bool disk_was_full(const record::Run& run) {
  for (const auto& migration : run.migrations) {
    for (const auto* side : {&migration.forward, &migration.back, &migration.again}) {
      if (*side && (*side)->error && (*side)->error->sqlstate == "53100") return true;
    }
  }
  return false;
}

}  // namespace

record::Run run_unit(const Unit& unit, const UnitContext& context) {
  auto rehearsed = rehearse_unit(unit, context, Memory::yes);
  // A memory disk may be too small for what a migration makes; that is no fault of the migration.
  if (rehearsed && disk_was_full(*rehearsed)) rehearsed = rehearse_unit(unit, context, Memory::no);
  record::Run run;
  if (rehearsed) {
    run = std::move(*rehearsed);
  } else {
    run.scenario = unit.scenario.name;
    run.scenario_file = unit.target;
    run.failure = rehearsed.error();
  }
  // Whatever a signal made fail on the way (a version that was not told, a session cut off) failed by the
  // signal.
  if (run.failure && interrupted()) run.failure = failed_by_interrupt().value();
  check::judge(run, unit.scenario, context.today);
  if (run.verdict == record::Verdict::fail) run.reproduce = reproduction(unit, context, run);
  context.console.run_finished(run);
  return run;
}

}  // namespace lockkeeper::app
