#include <cstdio>

#include <fmt/format.h>

#include "app/app.h"
#include "app/options.h"

namespace lockkeeper::app {

Result<ExitCode> version_command(const std::vector<std::string>& arguments) {
  boost::program_options::options_description options("options");
  options.add_options()("help,h", "this help");
  const auto parsed = parse("version", options, arguments);
  if (!parsed) return failed(parsed);
  if (!parsed->help_shown) fmt::print("lockkeeper {}\n", LOCKKEEPER_VERSION);
  return ExitCode::pass;
}

}  // namespace lockkeeper::app
