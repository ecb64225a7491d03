#include <charconv>
#include <chrono>
#include <cstdint>
#include <system_error>

#include <fmt/format.h>

#include "app/app.h"
#include "app/check.h"
#include "app/reporting.h"
#include "app/target.h"
#include "base/text.h"
#include "check/rule.h"
#include "scenario/load.h"

namespace lockkeeper::app {

namespace po = boost::program_options;

namespace {

po::options_description bench_options() {
  po::options_description own(
      "how queries are compared (instead of what the scenario's key 'benchmark' says)");
  own.add_options()("false-alarms", po::value<double>()->value_name("RATE"),
                    "how often a run in which nothing has changed may call any query slower (0.01)")(
      "budget", po::value<double>()->value_name("SECONDS"),
      "longest that the timing of one query may take (5)")("seed", po::value<std::string>()->value_name("N"),
                                                           "of the order within pairs, as a report names it")(
      "without-time", "answers and plans alone");
  po::options_description all;
  all.add(selection_options()).add(history_options()).add(running_options()).add(own).add(output_options());
  return all;
}

/// Without a target: every scenario here that has something to compare.
Result<Parsed> with_targets(const Parsed& parsed) {
  Parsed complete = parsed;
  if (!parsed.positional.empty()) return complete;
  for (const std::string& path : scenarios_here()) {
    const auto scenario = scenario::load(path, check::rule_ids());
    if (!scenario) return failed(scenario);
    if (!scenario->queries.empty() || !scenario->sizes.empty()) complete.positional.push_back(path);
  }
  if (!complete.positional.empty()) return complete;
  return failed(FailureKind::usage,
                "nothing to compare: no scenario given, and none with a key 'queries' below scenarios/",
                "lockkeeper bench scenarios/shop.yaml");
}

Result<void> apply_options(const Parsed& parsed, scenario::Benchmark& benchmark) {
  if (parsed.has("false-alarms")) {
    benchmark.false_alarms = parsed.values["false-alarms"].as<double>();
    if (!(benchmark.false_alarms > 0 && benchmark.false_alarms < 0.5))
      return failed(FailureKind::usage,
                    "--false-alarms takes a rate above 0 and below 0.5, for example 0.01");
  }
  if (parsed.has("budget")) {
    const double seconds = parsed.values["budget"].as<double>();
    if (!(seconds > 0 && seconds <= 3600))
      return failed(FailureKind::usage, "--budget takes a number of seconds, at most 3600");
    benchmark.budget = std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
  }
  if (parsed.has("seed")) {
    const auto& text = parsed.values["seed"].as<std::string>();
    std::uint64_t seed = 0;
    const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
    if (text.empty() || error != std::errc() || stopped != text.data() + text.size())
      return failed(FailureKind::usage, fmt::format("--seed takes a whole number, not '{}'", text));
    benchmark.seed = seed;
  }
  return {};
}

Result<std::vector<Unit>> bench_units(const Parsed& parsed, const ServerOptions& servers) {
  const auto complete = with_targets(parsed);
  if (!complete) return failed(complete);
  auto units = units_of(*complete, servers);
  if (!units) return units;
  for (Unit& unit : *units) {
    unit.kind = UnitKind::bench;
    if (unit.scenario.queries.empty() && unit.scenario.sizes.empty()) {
      return failed(FailureKind::usage,
                    fmt::format("nothing to compare in '{}': it has no key 'queries'", unit.target),
                    "name queries in a scenario file: queries: [{name: …, sql: …}]; lockkeeper queries "
                    "import makes them of "
                    "a log");
    }
    if (const auto applied = apply_options(parsed, unit.scenario.benchmark); !applied) return failed(applied);
  }
  return units;
}

}  // namespace

Result<ExitCode> bench_command(const std::vector<std::string>& arguments) {
  const auto parsed = parse("bench", bench_options(), arguments);
  if (!parsed) return failed(parsed);
  if (parsed->help_shown) return ExitCode::pass;
  return judge_units(*parsed, bench_units);
}

}  // namespace lockkeeper::app
