#pragma once

#include <functional>
#include <string>
#include <vector>

#include <boost/program_options.hpp>

#include "app/app.h"
#include "app/ground_options.h"
#include "app/options.h"
#include "app/unit.h"

/// What the commands that judge migrations have in common.
namespace lockkeeper::app {

/// --fixture, --scale, --seed-rows, --timeout, --jobs, --baseline, --gate, --no-cache, servers and store.
boost::program_options::options_description running_options();

/// Scenarios below ./scenarios, sorted, but for those that show faults.
std::vector<std::string> scenarios_here();

/// One unit for each target and server version, with what the options say put before what scenarios say.
Result<std::vector<Unit>> units_of(const Parsed& parsed, const ServerOptions& servers);

using MakeUnits = std::function<Result<std::vector<Unit>>(const Parsed&, const ServerOptions&)>;

/// Runs units, judges them, writes reports; the exit code.
Result<ExitCode> judge_units(const Parsed& parsed, const MakeUnits& make_units);

}  // namespace lockkeeper::app
