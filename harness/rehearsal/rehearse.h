#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>

#include "engine/engine.h"
#include "history/history.h"
#include "record/record.h"
#include "scenario/scenario.h"
#include "snapshot/store.h"

namespace lockkeeper::rehearsal {

enum class Keep { no, yes };
/// Are critical queries timed, or only answered and planned?
enum class GateTime { no, yes };

struct Options {
  std::chrono::milliseconds statement_timeout{0};  ///< longest that one statement may take; 0: no limit
  record::Depth depth = record::Depth::standard;
  int seed_rows = 0;  ///< to make in each table that holds none, where the scenario has no fixture
  GateTime gate_time = GateTime::yes;
  Keep keep = Keep::no;                    ///< stop at the first failure and leave its database running
  std::filesystem::path work_directory;    ///< ours for this run, on the store's file system
  const snapshot::Store* store = nullptr;  ///< null: every run starts from nothing
  std::chrono::steady_clock::time_point process_start = std::chrono::steady_clock::now();

  std::function<void(const record::Run&, std::size_t on_trial)> started;
  std::function<void(const record::Run&, const record::MigrationRecord&)> migration_done;
  std::function<void(const record::Run&, const record::ReleaseStep&)> step_done;
  std::function<void(const std::string& what)> progress;
};

/// A run of which nothing is known but what the scenario and the files say.
record::Run described(const scenario::Scenario& scenario, const history::History& history,
                      const history::Trial& trial);

/// Drives the trial through its stages (design.md) and returns what was observed; nothing is judged yet. What
/// stopped it early is in Run::failure, with all that had been seen until then.
record::Run rehearse(engine::Engine& engine, const scenario::Scenario& scenario,
                     const history::History& history, const history::Trial& trial, const Options& options);

}  // namespace lockkeeper::rehearsal
