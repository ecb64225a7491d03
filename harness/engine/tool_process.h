#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/process.h"
#include "base/secrets.h"
#include "engine/engine.h"

/// What every engine does with a program that runs a side by itself.
namespace lockkeeper::engine {

/// "{url}" and the like, and what is put in their place.
using Places = std::vector<std::pair<std::string_view, std::string>>;

std::string with_places(std::string text, const Places& places);
/// The request's command with the places filled in arguments and environment. `given` are variables that it
/// may set otherwise; those of a pattern in `unset` are not passed on.
Command completed_command(const ToolRequest& request, const Places& places,
                          const std::map<std::string, std::string>& given, const std::string& unset);

/// How a program ended.
struct ToolEnd {
  record::Microseconds duration{0};
  bool in_time = true;
  std::string failure;  ///< "alembic ended with exit code 1"; empty where it succeeded
  std::string said;     ///< its last lines on both streams, secrets masked
  std::string output;   ///< the same as far back as it is kept
};

/// Runs it to its end or its deadline; nothing that it started outlives it. A Failure where it could not be
/// started, or we were interrupted.
Result<ToolEnd> run_program(const ToolRequest& request, const Command& command, const Secrets& secrets);

/// That it ended well, and worked on a database that is not ours to change.
Failure never_came(const ToolRequest& request);

/// The error of a program that failed by itself: how it ended, and the last that it said.
record::SqlError error_of_program(const ToolEnd& end);

}  // namespace lockkeeper::engine
