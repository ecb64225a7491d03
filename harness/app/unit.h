#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "app/ground_options.h"
#include "record/record.h"
#include "report/console.h"
#include "scenario/scenario.h"
#include "snapshot/store.h"

namespace lockkeeper::app {

/// What is done with a scenario: a rehearsal, the whole runbook of a release, or its queries alone.
enum class UnitKind { check, release, bench };

/// One scenario on one server version: what one thread runs from start to end.
struct Unit {
  std::string target;  ///< as the user named it
  scenario::Scenario scenario;
  std::optional<int> version;
  UnitKind kind = UnitKind::check;
  std::string options = {};  ///< of the command, for the line that brings a failure back
};

/// What all units of a run share.
struct UnitContext {
  const Parsed& options;
  const ServerOptions& servers;
  const snapshot::Store* store;
  report::Console& console;
  std::string today;  ///< YYYY-MM-DD, UTC
  std::chrono::steady_clock::time_point process_start;
};

/// Rehearses, judges and shows one unit. What went wrong is in the run.
record::Run run_unit(const Unit& unit, const UnitContext& context);

}  // namespace lockkeeper::app
