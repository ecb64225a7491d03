#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/program_options.hpp>

#include "base/result.h"

namespace lockkeeper::app {

/// A command's parsed options; `help_shown` where --help was asked for and printed.
struct Parsed {
  boost::program_options::variables_map values;
  std::vector<std::string> positional;
  bool help_shown = false;

  bool has(const std::string& name) const { return values.count(name) > 0; }
  std::string text(const std::string& name) const { return has(name) ? values[name].as<std::string>() : ""; }
  std::vector<std::string> texts(const std::string& name) const {
    return has(name) ? values[name].as<std::vector<std::string>>() : std::vector<std::string>();
  }
};

/// Parses strictly: an unknown option is a usage failure with "did you mean"; abbreviations are not guessed.
/// Prints the help of the command `name` (app.h) for --help.
Result<Parsed> parse(std::string_view name, const boost::program_options::options_description& options,
                     const std::vector<std::string>& arguments);

/// "2GB", "500 MB", "1048576" → bytes; a usage failure otherwise.
Result<std::uint64_t> parse_bytes(const std::string& text);

}  // namespace lockkeeper::app
