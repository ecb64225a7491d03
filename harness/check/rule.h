#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "record/record.h"
#include "scenario/scenario.h"

namespace lockkeeper::check {

/// One rule: what documentation, reports and tests know of it, and the pure function that finds it in a
/// record.
struct Rule {
  std::string_view id;
  std::string_view group;  ///< "round trip", "schema", "expectations", "queries"
  record::Level level;
  std::string_view summary;  ///< one line: what a finding says
  std::string_view why;      ///< what goes wrong in production
  std::string_view advice;   ///< what to do instead
  std::string_view bad;      ///< a migration that it finds, SQL
  std::string_view good;     ///< the same wish without the fault
  void (*find)(const record::Run&, const scenario::Scenario&, std::vector<record::Finding>&);
};

/// Every rule, in the order of rules.md. The one place where rules are registered.
std::span<const Rule> all_rules();
const Rule* rule_named(std::string_view id);
std::vector<std::string> rule_ids();

/// Judges a run: fills findings (in order of migration, then of rule), applies levels, allow lists and
/// declarations (as of `today`, YYYY-MM-DD), matches expect_findings, lists what is stale, and sets the
/// verdict.
void judge(record::Run& run, const scenario::Scenario& scenario, std::string_view today);

}  // namespace lockkeeper::check
