#include <algorithm>

#include <fmt/format.h>

#include "app/app.h"
#include "app/check.h"
#include "app/reporting.h"
#include "app/target.h"
#include "base/text.h"
#include "check/rule.h"
#include "history/git.h"
#include "scenario/load.h"

namespace lockkeeper::app {

namespace po = boost::program_options;

namespace {

po::options_description release_options() {
  po::options_description which("which release");
  which.add_options()("from", po::value<std::vector<std::string>>()->value_name("VERSION|REF"),
                      "what is in production: a version, or a git ref whose migrations are (may be repeated; "
                      "default: what the scenario says, else the last tag)")(
      "to", po::value<std::string>()->value_name("VERSION|REF"), "what is released (default: all)");
  po::options_description all;
  all.add(which).add(history_options()).add(running_options()).add(output_options());
  return all;
}

/// Without a target: every scenario here that says how its release is made.
Result<Parsed> with_targets(const Parsed& parsed) {
  Parsed complete = parsed;
  if (!parsed.positional.empty()) return complete;
  for (const std::string& path : scenarios_here()) {
    const auto scenario = scenario::load(path, check::rule_ids());
    if (!scenario) return failed(scenario);
    if (scenario->release) complete.positional.push_back(path);
  }
  if (!complete.positional.empty()) return complete;
  return failed(
      FailureKind::usage,
      "no release to check: no scenario or directory given, and none with a key 'release' below scenarios/",
      "lockkeeper release scenarios/shop.yaml --from v1.4");
}

/// What the scenario puts on trial, unless the options say what is in production.
std::vector<scenario::Selection> selections_of(const Parsed& parsed, const scenario::Scenario& scenario) {
  std::vector<scenario::Selection> selections;
  for (const std::string& from : parsed.texts("from")) {
    auto& selection = selections.emplace_back();
    selection.after = from;
  }
  if (selections.empty() && scenario.release && scenario.release->from) {
    selections.emplace_back().after = scenario.release->from;
  } else if (selections.empty()) {
    selections.push_back(scenario.selection);
    if (scenario.selection.given() == 0)
      selections.back().after = history::last_tag(scenario.migrations_path);
  }
  if (parsed.has("to")) {
    for (auto& selection : selections) selection.until = parsed.text("to");
  }
  return selections;
}

std::string shown(const scenario::Selection& selection) {
  std::string text;
  if (selection.after) text += " --from " + *selection.after;
  if (selection.until) text += " --to " + *selection.until;
  return text;
}

Result<std::vector<Unit>> release_units(const Parsed& parsed, const ServerOptions& servers) {
  const auto complete = with_targets(parsed);
  if (!complete) return failed(complete);
  const auto units = units_of(*complete, servers);
  if (!units) return failed(units);
  std::vector<Unit> releases;
  for (const Unit& unit : *units) {
    for (const auto& selection : selections_of(parsed, unit.scenario)) {
      Unit& release = releases.emplace_back(unit);
      release.kind = UnitKind::release;
      release.scenario.selection = selection;
      release.options = shown(selection);
    }
  }
  return releases;
}

}  // namespace

Result<ExitCode> release_command(const std::vector<std::string>& arguments) {
  const auto parsed = parse("release", release_options(), arguments);
  if (!parsed) return failed(parsed);
  if (parsed->help_shown) return ExitCode::pass;
  return judge_units(*parsed, release_units);
}

}  // namespace lockkeeper::app
