#pragma once

#include <string>

#include <boost/program_options.hpp>

#include "app/options.h"
#include "engine/postgres/inspection.h"

namespace lockkeeper::app {

/// What preflight and postflight share: --statement-timeout, --superuser-ok, --output, --print, --help.
boost::program_options::options_description inspection_options();

enum class Output { text, json };
Result<Output> output_of(const Parsed& parsed);

/// What stands in the command line for a session on `url`.
Result<engine::postgres::InspectionOptions> inspection_of(const Parsed& parsed, const std::string& url,
                                                          const std::string& command);

/// Every statement of an inspection, for --print; nothing is connected to.
void print_statements(const engine::postgres::InspectionOptions& options, int major,
                      engine::postgres::WithSchema schema);

}  // namespace lockkeeper::app
