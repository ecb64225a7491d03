#pragma once

#include <string>

#include <boost/program_options.hpp>

#include "app/options.h"
#include "history/history.h"
#include "scenario/scenario.h"

namespace lockkeeper::app {

/// --since, --last, --only, --since-ref.
boost::program_options::options_description selection_options();
/// --format, --engine, --transaction.
boost::program_options::options_description history_options();

/// A scenario's file, or a bare directory as a scenario, with what these options say of the history put in
/// the place of what it says itself.
Result<scenario::Scenario> target_of(const std::string& target, const Parsed& parsed);

/// The history that a scenario names.
Result<history::History> read_history(const scenario::Scenario& scenario);

}  // namespace lockkeeper::app
