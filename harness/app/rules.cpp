#include <cstdio>

#include <fmt/format.h>

#include "app/app.h"
#include "app/options.h"
#include "base/text.h"
#include "check/rule.h"
#include "record/names.h"

namespace lockkeeper::app {

namespace {

void list_rules() {
  std::string_view group;
  for (const check::Rule& rule : check::all_rules()) {
    if (rule.group != group) fmt::print("{}{}\n", group.empty() ? "" : "\n", rule.group);
    group = rule.group;
    fmt::print("  {:<26} {:<8} {}\n", rule.id, record::name_of(rule.level), rule.summary);
  }
}

void print_block(std::string_view title, std::string_view text) {
  fmt::print("\n{}\n", title);
  for (const std::string& line : split(trimmed(text), '\n')) fmt::print("  {}\n", line);
}

void explain(const check::Rule& rule) {
  fmt::print("{} ({}, {})\n  {}\n", rule.id, rule.group, record::name_of(rule.level), rule.summary);
  print_block("why", rule.why);
  print_block("instead", rule.advice);
  print_block("found in", rule.bad);
  print_block("not in", rule.good);
}

}  // namespace

Result<ExitCode> rules_command(const std::vector<std::string>& arguments) {
  boost::program_options::options_description options("options");
  options.add_options()("help,h", "this help");
  const auto parsed = parse("rules", options, arguments);
  if (!parsed) return failed(parsed);
  if (parsed->help_shown) return ExitCode::pass;
  if (parsed->positional.empty()) list_rules();
  bool first = true;
  for (const std::string& id : parsed->positional) {
    const check::Rule* rule = check::rule_named(id);
    if (rule == nullptr) {
      return failed(FailureKind::usage,
                    fmt::format("unknown rule '{}'{}", id, did_you_mean(id, check::rule_ids())),
                    "lockkeeper rules lists them");
    }
    if (!first) fmt::print("\n");
    first = false;
    explain(*rule);
  }
  return ExitCode::pass;
}

}  // namespace lockkeeper::app
