#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lockkeeper::app {

/// What a run ends with (design.md, exit codes). A crash is never pass or findings.
enum class ExitCode : int {
  pass = 0,
  findings = 1,
  usage = 2,
  environment = 3,
  nothing = 4,
  interrupted = 130
};

ExitCode exit_code_of(FailureKind kind);

/// A command of the program. `run` prints what it has to say and returns how it went; a Failure is printed by
/// the caller.
struct Command {
  std::string_view name;
  std::string_view synopsis;  ///< what follows the name on the command line
  std::string_view summary;   ///< one line
  std::string_view examples;  ///< for its --help
  Result<ExitCode> (*run)(const std::vector<std::string>& arguments);
};

/// Every command; the one place where they are registered.
std::span<const Command> all_commands();

/// The whole program: picks the command, prints failures, returns the exit code. Never throws.
int run(const std::vector<std::string>& arguments);

Result<ExitCode> check_command(const std::vector<std::string>& arguments);
Result<ExitCode> bench_command(const std::vector<std::string>& arguments);
Result<ExitCode> release_command(const std::vector<std::string>& arguments);
Result<ExitCode> history_command(const std::vector<std::string>& arguments);
Result<ExitCode> report_command(const std::vector<std::string>& arguments);
Result<ExitCode> baseline_command(const std::vector<std::string>& arguments);
Result<ExitCode> preflight_command(const std::vector<std::string>& arguments);
Result<ExitCode> postflight_command(const std::vector<std::string>& arguments);
Result<ExitCode> rules_command(const std::vector<std::string>& arguments);
Result<ExitCode> snapshot_command(const std::vector<std::string>& arguments);
Result<ExitCode> queries_command(const std::vector<std::string>& arguments);
Result<ExitCode> cache_command(const std::vector<std::string>& arguments);
Result<ExitCode> doctor_command(const std::vector<std::string>& arguments);
Result<ExitCode> version_command(const std::vector<std::string>& arguments);

}  // namespace lockkeeper::app
