#include "app/options.h"

#include <algorithm>
#include <charconv>
#include <iostream>

#include <fmt/format.h>

#include "app/app.h"
#include "base/text.h"

namespace lockkeeper::app {

namespace po = boost::program_options;

namespace {

void print_help(std::string_view name, const po::options_description& options) {
  for (const Command& command : all_commands()) {
    if (command.name != name) continue;
    std::cout << fmt::format("usage: lockkeeper {} {}\n\n{}\n\n", command.name, command.synopsis,
                             command.summary)
              << options << "\nexamples:\n"
              << command.examples;
  }
}

std::vector<std::string> names_of(const po::options_description& options) {
  std::vector<std::string> names;
  for (const auto& option : options.options()) names.push_back("--" + option->long_name());
  return names;
}

}  // namespace

Result<Parsed> parse(std::string_view name, const po::options_description& visible,
                     const std::vector<std::string>& arguments) {
  po::options_description options;
  options.add(visible);
  options.add_options()("positional", po::value<std::vector<std::string>>());
  po::positional_options_description positional;
  positional.add("positional", -1);
  Parsed parsed;
  try {
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    po::store(po::command_line_parser(arguments).options(options).positional(positional).style(style).run(),
              parsed.values);
  } catch (const po::unknown_option& error) {
    return failed(FailureKind::usage,
                  fmt::format("unknown option '{}'{}", error.get_option_name(),
                              did_you_mean(error.get_option_name(), names_of(visible))),
                  fmt::format("lockkeeper {} --help lists the options", name));
  } catch (const po::error& error) {
    return failed(FailureKind::usage, error.what(),
                  fmt::format("lockkeeper {} --help lists the options", name));
  }
  if (parsed.has("positional")) parsed.positional = parsed.texts("positional");
  if (parsed.has("help")) {
    print_help(name, visible);
    parsed.help_shown = true;
  }
  return parsed;
}

Result<std::uint64_t> parse_bytes(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit = lower(trimmed(std::string_view(end, text.data() + text.size())));
  static constexpr std::pair<std::string_view, double> k_units[] = {
      {"", 1}, {"b", 1}, {"kb", 1024}, {"mb", 1048576}, {"gb", 1073741824}, {"tb", 1099511627776}};
  const auto* const found = std::find_if(std::begin(k_units), std::end(k_units),
                                         [&](const auto& known) { return known.first == unit; });
  if (error != std::errc() || found == std::end(k_units) || number < 0 || number * found->second > 1e18) {
    return failed(FailureKind::usage, fmt::format("'{}' is no size", text), "write it as 500MB or 10GB");
  }
  return static_cast<std::uint64_t>(number * found->second);
}

}  // namespace lockkeeper::app
