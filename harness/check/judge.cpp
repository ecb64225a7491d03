#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "base/text.h"
#include "check/change_class.h"
#include "check/finding.h"
#include "check/release.h"
#include "check/rule.h"

namespace lockkeeper::check {

namespace {

using record::Finding;
using record::Level;
using record::Run;
using scenario::Scenario;

/// An allow of the scenario, or a declaration in a migration's own file.
struct Permit {
  std::string rule;
  std::string migration;  ///< empty: any
  std::string reason;
  std::string until;
  Location location;
  bool matched = false;

  bool covers(const Finding& finding) const {
    return rule == finding.rule && (migration.empty() || migration == finding.migration);
  }
  /// The day named is the last one on which it holds; dates of this form compare as text.
  bool expired(std::string_view today) const { return !until.empty() && std::string_view(until) < today; }
};

std::vector<Permit> permits_of(const Run& run, const Scenario& scenario) {
  std::vector<Permit> permits;
  for (const scenario::Allow& allow : scenario.allow) {
    permits.push_back({allow.rule, allow.migration, allow.reason, allow.until, allow.location});
  }
  for (const record::MigrationRecord& migration : run.migrations) {
    for (const record::Declaration& declaration : migration.declarations) {
      permits.push_back(
          {declaration.rule, migration.version, declaration.reason, declaration.until, declaration.location});
    }
  }
  return permits;
}

/// A finding of a migration that no rule placed stands at its file.
void place(const Run& run, Finding& finding) {
  if (finding.location || finding.migration.empty()) return;
  const record::MigrationRecord* migration = migration_of(run, finding.migration);
  if (migration == nullptr) return;
  const bool down = finding.side == record::Side::down && migration->down.has_value();
  finding.location = down ? *migration->down : migration->up;
  if (finding.location->line == 0) finding.location->line = 1;
}

/// Data exceptions, constraints, and what PL/pgSQL raises:
/// https://www.postgresql.org/docs/current/errcodes-appendix.html
bool is_about_values(const record::SqlError& error) {
  const std::string kind = error.sqlstate.substr(0, 2);
  return kind == "22" || kind == "23" || kind == "P0";
}

/// Does a finding hang on the values of rows? Those of our own making are such as nobody may ever write.
bool hangs_on_values(const Run& run, const Finding& finding) {
  static constexpr std::array<std::string_view, 6> k_of_data = {
      "data-not-restored", "data-changed",          "again-differs",
      "rollback-blocked",  "rollback-loses-writes", "retry-hides-damage"};
  if (std::find(k_of_data.begin(), k_of_data.end(), finding.rule) != k_of_data.end()) return true;
  const record::MigrationRecord* migration = migration_of(run, finding.migration);
  if (migration == nullptr) return false;
  if (finding.rule == "not-resumable") {
    const auto& stops = migration->interruptions;
    return std::none_of(stops.begin(), stops.end(), [&](const record::Interruption& stop) {
      return stop.side == finding.side && stop.retry_error && !is_about_values(*stop.retry_error);
    });
  }
  // An up that fails has failed without such rows too.
  if (finding.rule != "down-fails" && finding.rule != "again-fails") return false;
  const auto& side = finding.rule == "down-fails" ? migration->back : migration->again;
  return side && side->error && is_about_values(*side->error);
}

void weigh_made_rows(const Run& run, Finding& finding) {
  if (run.made_rows == 0 || !hangs_on_values(run, finding)) return;
  finding.level = std::min(finding.level, Level::warning);
  finding.evidence.push_back("met on rows of lockkeeper's own making: name a fixture to be sure");
}

void apply_level(const Scenario& scenario, Finding& finding) {
  for (const scenario::LevelChange& change : scenario.levels) {
    if (change.rule == finding.rule) finding.level = change.level;
  }
}

void apply_permits(std::vector<Permit>& permits, std::string_view today, Finding& finding) {
  for (Permit& permit : permits) {
    if (!permit.covers(finding)) continue;
    permit.matched = true;
    if (permit.expired(today)) {
      finding.evidence.push_back(fmt::format("was allowed until {} ({}): {}", permit.until,
                                             to_string(permit.location), permit.reason));
    } else if (!finding.allowed) {
      finding.allowed = true;
      finding.level = Level::note;
      finding.reason = permit.reason;
    }
  }
}

bool is_on_trial(const Run& run, const std::string& version) {
  return version.empty() || migration_of(run, version) != nullptr;
}

/// A release check has a list of its own.
const std::vector<scenario::ExpectedFinding>& expected_in(const Run& run, const Scenario& scenario) {
  static const std::vector<scenario::ExpectedFinding> k_none;
  if (!run.release) return scenario.expect_findings;
  return scenario.release ? scenario.release->expect_findings : k_none;
}

/// Does the scenario show faults, which then have to appear?
bool shows_faults(const Run& run, const Scenario& scenario) {
  return !scenario.expect_findings.empty() || !expected_in(run, scenario).empty();
}

bool mark_expected(Run& run, const scenario::ExpectedFinding& expected) {
  bool appeared = false;
  for (Finding& finding : run.findings) {
    if (finding.rule != expected.rule) continue;
    if (!expected.migration.empty() && expected.migration != finding.migration) continue;
    finding.expected = true;
    appeared = true;
  }
  return appeared;
}

/// A rehearsal makes no backups, a release check drives only some of its stages, and where queries alone are
/// compared nothing else is looked at.
bool is_looked_for(const Run& run, const std::string& rule) {
  const Rule* const known = rule_named(rule);
  if (run.queries_alone) return known != nullptr && known->group == "queries";
  return !run.release && (known == nullptr || known->group != "backup");
}

void match_expected(Run& run, const Scenario& scenario) {
  // Of what a rehearsal finds a release check meets a part.
  if (run.release) {
    for (const auto& expected : scenario.expect_findings) mark_expected(run, expected);
  }
  for (const scenario::ExpectedFinding& expected : expected_in(run, scenario)) {
    const bool appeared = mark_expected(run, expected);
    if (!appeared && (!run.queries_alone || is_looked_for(run, expected.rule)))
      run.missing_expected.push_back({expected.rule, expected.migration, "", expected.location});
  }
}

/// Findings of the whole run come after those of its migrations.
void sort_findings(Run& run) {
  std::map<std::string, std::size_t> migration_order;
  for (const record::MigrationRecord& migration : run.migrations) {
    migration_order.emplace(migration.version, migration_order.size());
  }
  std::map<std::string, std::size_t> rule_order;
  for (const Rule& rule : all_rules()) rule_order.emplace(rule.id, rule_order.size());
  const auto key = [&](const Finding& finding) {
    const auto found = migration_order.find(finding.migration);
    return std::tuple(found == migration_order.end() ? migration_order.size() : found->second,
                      rule_order[finding.rule]);
  };
  std::stable_sort(run.findings.begin(), run.findings.end(),
                   [&](const Finding& a, const Finding& b) { return key(a) < key(b); });
}

record::Verdict verdict_of(const Run& run, const Scenario& scenario) {
  if (run.failure) return record::Verdict::error;
  const auto any = [&](auto condition) {
    return std::any_of(run.findings.begin(), run.findings.end(), condition);
  };
  if (!shows_faults(run, scenario)) {
    const bool stopped = any([&](const Finding& f) { return !f.allowed && f.level >= run.gate; });
    return stopped ? record::Verdict::fail : record::Verdict::pass;
  }
  // A scenario that shows a fault passes when exactly that fault appears; notes are no faults, unless the
  // gate says so.
  const Level threshold = std::min(run.gate, Level::warning);
  const bool unexpected =
      any([&](const Finding& f) { return !f.allowed && !f.expected && f.level >= threshold; });
  return unexpected || !run.missing_expected.empty() ? record::Verdict::fail : record::Verdict::pass;
}

}  // namespace

void judge(Run& run, const Scenario& scenario, std::string_view today) {
  run.findings.clear();
  run.stale.clear();
  run.missing_expected.clear();
  run.gate = scenario.gate.value_or(Level::error);
  for (record::MigrationRecord& migration : run.migrations) classify(migration);
  for (const Rule& rule : all_rules()) rule.find(run, scenario, run.findings);
  std::vector<Permit> permits = permits_of(run, scenario);
  for (Finding& finding : run.findings) {
    place(run, finding);
    weigh_made_rows(run, finding);
    apply_level(scenario, finding);
    apply_permits(permits, today, finding);
  }
  sort_findings(run);
  // What a tool would refuse for its files is found without a run.
  const bool refused = run.failure && run.failure->kind == FailureKind::usage && !run.history_facts.empty();
  if (refused && !scenario.expect_findings.empty()) {
    match_expected(run, scenario);
    if (run.missing_expected.empty()) run.failure.reset();
  }
  // A run that ended early has not seen everything: what is missing in it says nothing.
  if (!run.failure && !refused) {
    match_expected(run, scenario);
    for (const Permit& permit : permits) {
      if (permit.matched || !is_on_trial(run, permit.migration) || !is_looked_for(run, permit.rule)) continue;
      run.stale.push_back({permit.rule, permit.migration, permit.reason, permit.location});
    }
  }
  run.verdict = verdict_of(run, scenario);
  if (!run.release) return;
  decide(run, scenario);
  // A point of the checklist that is not met stops a release too, unless faults are what is to be shown.
  if (run.release->decision == record::Decision::no_go && run.verdict == record::Verdict::pass &&
      !shows_faults(run, scenario))
    run.verdict = record::Verdict::fail;
}

}  // namespace lockkeeper::check
