#include "check/release.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"

namespace lockkeeper::check {

namespace {

using record::ChecklistPoint;
using record::Level;
using record::Mark;
using record::Microseconds;
using record::Release;
using record::ReleaseStep;
using record::Road;

/// Fewer rows than this say nothing about the time for each.
constexpr std::int64_t k_rows_to_go_by = 1000;

Microseconds times(Microseconds time, double factor) {
  return Microseconds(static_cast<std::int64_t>(static_cast<double>(time.count()) * factor));
}

/// The steps that a word of the checklist stands for.
std::vector<const ReleaseStep*> steps_named(const Release& release, const std::string& word) {
  const auto begins = [&](const ReleaseStep& step, std::string_view with) {
    return step.name.starts_with(with);
  };
  std::vector<const ReleaseStep*> steps;
  for (const ReleaseStep& step : release.steps) {
    const bool writer = step.name.ends_with("while somebody writes");
    const bool taken = word == "backups"    ? begins(step, "backup ") && !writer
                       : word == "proofs"   ? begins(step, "proof of ")
                       : word == "dry run"  ? begins(step, "dry run ")
                       : word == "apply"    ? begins(step, "apply ")
                       : word == "downtime" ? begins(step, "apply ")
                                            : step.name == word;
    if (taken) steps.push_back(&step);
  }
  return steps;
}

bool any_finding(const record::Run& run, std::initializer_list<std::string_view> rules) {
  return std::any_of(run.findings.begin(), run.findings.end(), [&](const record::Finding& finding) {
    return finding.level == Level::error &&
           std::find(rules.begin(), rules.end(), finding.rule) != rules.end();
  });
}

void answer(ChecklistPoint& point, bool holds, std::string evidence) {
  point.mark = holds ? Mark::done : Mark::failed;
  point.evidence = std::move(evidence);
}

/// By an invariant, a pre-check or an operation of that name.
void answer_by_check(const record::Run& run, const scenario::Scenario& scenario, ChecklistPoint& point) {
  std::vector<std::string> answers;
  bool same = true;
  for (const auto& seen : run.invariants) {
    if (seen.name != point.by) continue;
    const std::string text = seen.error ? "error: " + seen.error->message : seen.value;
    same = same && !seen.error && (answers.empty() || answers.front() == text);
    if (answers.empty() || answers.back() != text) answers.push_back(text);
  }
  if (!answers.empty()) {
    const bool broken = std::any_of(run.findings.begin(), run.findings.end(), [&](const auto& finding) {
      return finding.rule == "invariant-broken" && finding.message.find(point.by) != std::string::npos;
    });
    answer(point, same && !broken, abridged(join(answers, " → ")));
    return;
  }
  for (const record::ReleaseCheck& check : run.release->checks) {
    if (check.name != point.by) continue;
    answer(point, check.held, answer_to(scenario, check));
    return;
  }
}

void mark(const record::Run& run, const scenario::Scenario& scenario, ChecklistPoint& point) {
  const Release& release = *run.release;
  if (point.by.empty()) return;
  if (point.by == "roads") {
    std::vector<std::string> works;
    std::vector<std::string> fails;
    for (const Road& road : release.roads) {
      if (road.named) (road.leads_back() ? works : fails).push_back(road.name);
    }
    if (release.roads.empty()) return;
    answer(point, fails.empty() && !works.empty(),
           !fails.empty()  ? "does not lead back: " + join(fails, "; ")
           : works.empty() ? "no road is relied on"
                           : "leads back: " + join(works, "; "));
    return;
  }
  if (point.by == "verification") {
    const bool reached = !steps_named(release, "verification").empty();
    if (!reached) return;
    const auto held = static_cast<std::int64_t>(
        std::count_if(run.expectations.begin(), run.expectations.end(),
                      [](const auto& expectation) { return expectation.after_held; }));
    answer(point, !any_finding(run, {"expectation-not-met", "invariant-broken", "constraint-violated"}),
           fmt::format("{} of {} hold, {} asked", held,
                       counted(std::int64_t(run.expectations.size()), "expectation"),
                       counted(std::int64_t(scenario.invariants.size()), "invariant")));
    return;
  }
  if (point.by == "downtime") {
    if (steps_named(release, "apply").empty()) return;
    const Downtime downtime = downtime_of(run, scenario);
    const auto& limit = scenario.release ? scenario.release->downtime_at_most : std::nullopt;
    const Microseconds longest = downtime.in_production ? downtime.in_production->most : downtime.measured;
    answer(point, !limit || longest <= *limit, span_text(downtime.measured, downtime.in_production));
    return;
  }
  const auto steps = steps_named(release, point.by);
  if (steps.empty()) {
    answer_by_check(run, scenario, point);
    return;
  }
  std::vector<std::string> evidence;
  bool ok = true;
  for (const ReleaseStep* step : steps) {
    ok = ok && step->ok;
    if (!step->evidence.empty()) evidence.push_back(step->evidence.front());
  }
  answer(point, ok, join(evidence, "; "));
}

void add_risks(const record::Run& run, const scenario::Scenario& scenario, Release& release) {
  std::set<std::string> known;
  const auto risk = [&](std::string text) {
    if (known.insert(text).second) release.risks.push_back(std::move(text));
  };
  for (const auto& finding : run.findings) {
    if (finding.level == Level::warning || finding.allowed)
      risk(fmt::format("{}: {}{}", finding.rule, finding.message,
                       finding.allowed ? " (allowed: " + finding.reason + ")" : ""));
  }
  for (const std::string& what : release.forewarnings) risk("before the release: " + what);
  for (const record::Backup& backup : release.backups) {
    for (const std::string& what : backup.left_out)
      risk(fmt::format(
          "not in the backup: {}: a dump has it with --create alone; keep it elsewhere, and set it again",
          what));
    if (backup.writer_fault && !backup.writer_fault->empty())
      risk(fmt::format("backup {} while somebody writes: {}: stop the application first", backup.name,
                       *backup.writer_fault));
    if (backup.on_new_server && !backup.on_new_server->clean())
      risk(fmt::format("restore of {} on a new server: {}: keep pg_dumpall --globals-only beside it",
                       backup.name,
                       backup.on_new_server->said.empty() ? "" : backup.on_new_server->said.front()));
  }
  for (const Road& road : release.roads) {
    std::int64_t lost = 0;
    for (const auto& table : road.lost) lost += table.lost;
    if (lost > 0 && road.named && road.leads_back())
      risk(fmt::format("{}: what is written after the backup is lost ({} here)", road.name,
                       counted(lost, "row")));
  }
  const bool reached = !release.roads.empty();
  if (reached &&
      std::none_of(release.roads.begin(), release.roads.end(), [](const Road& road) { return road.named; }))
    risk("the runbook relies on no way back");
  if (scenario.production.rows.empty() &&
      (scenario.release && (scenario.release->downtime_at_most || scenario.release->restore_within)))
    risk("times are those of this fixture: name production's rows to have them estimated");
}

}  // namespace

const scenario::Invariant* planned(const scenario::Scenario& scenario, const record::ReleaseCheck& check) {
  if (!scenario.release) return nullptr;
  const auto& asked = check.before ? scenario.release->pre_checks : scenario.release->operations;
  const auto found =
      std::find_if(asked.begin(), asked.end(), [&](const auto& one) { return one.name == check.name; });
  return found == asked.end() ? nullptr : &*found;
}

std::string answer_to(const scenario::Scenario& scenario, const record::ReleaseCheck& check) {
  const scenario::Invariant* const asked = planned(scenario, check);
  const bool says = !check.held && asked != nullptr && asked->equals;
  return says ? fmt::format("{}, must be {}", check.found, *asked->equals) : check.found;
}

const record::Backup* unproved(const record::Release& release, const std::string& name) {
  for (const record::Backup& backup : release.backups) {
    const auto told = [](const std::optional<record::ToolRun>& run) { return run && !run->clean(); };
    const bool unsound =
        backup.made.failed || backup.bytes == 0 || told(backup.listed) || told(backup.restored);
    if (backup.name == name && unsound) return &backup;
  }
  return nullptr;
}

Downtime downtime_of(const record::Run& run, const scenario::Scenario& scenario) {
  Downtime downtime;
  Estimate whole;
  bool known = false;
  for (const auto& migration : run.migrations) {
    if (!migration.forward) continue;
    downtime.measured += migration.forward->duration;
    const auto expected = expected_time(*migration.forward, scenario);
    known = known || expected.has_value();
    whole.least += expected ? expected->least : migration.forward->duration;
    whole.most += expected ? expected->most : migration.forward->duration;
  }
  if (known) downtime.in_production = whole;
  return downtime;
}

std::optional<Estimate> with_all_rows_of_production(Microseconds measured, const record::Run& run,
                                                    const scenario::Scenario& scenario) {
  if (!run.release || scenario.production.rows.empty()) return std::nullopt;
  double here = 0;
  double there = 0;
  for (const auto& table : run.release->rows) {
    const auto production = rows_in_production(scenario, table.table);
    here += static_cast<double>(table.rows);
    there += static_cast<double>(production ? *production : table.rows);
  }
  if (here < k_rows_to_go_by || there <= here) return std::nullopt;
  const double factor = there / here;
  return Estimate{times(measured, factor), times(measured, factor * std::log2(there) / std::log2(here))};
}

std::string span_text(Microseconds measured, const std::optional<Estimate>& in_production) {
  std::string text = human(measured) + " here";
  if (in_production)
    text += fmt::format(", {} to {} with the rows of production", human(in_production->least),
                        human(in_production->most));
  return text;
}

Location place_of(const scenario::Scenario& scenario, const std::string& backup) {
  if (scenario.release) {
    for (const auto& planned : scenario.release->backups) {
      if (planned.name == backup) return planned.location;
    }
  }
  return {scenario.file.empty() ? scenario.migrations_path : scenario.file, 0, 0};
}

Location place_of(const scenario::Scenario& scenario, const Road& road) {
  if (scenario.release) {
    for (const auto& way : scenario.release->roads) {
      if (way.backup == road.backup && way.kind() == road.kind) return way.location;
    }
  }
  return place_of(scenario, road.backup);
}

void decide(record::Run& run, const scenario::Scenario& scenario) {
  Release& release = *run.release;
  release.checklist.clear();
  release.risks.clear();
  if (scenario.release) {
    for (const auto& point : scenario.release->checklist) {
      auto& marked = release.checklist.emplace_back();
      marked.point = point.text;
      marked.by = point.by;
      mark(run, scenario, marked);
      if (!marked.by.empty() && marked.mark == Mark::open) marked.evidence = "nothing has answered it";
    }
  }
  const auto range = [](const std::optional<Estimate>& estimate) {
    return estimate ? std::optional(record::TimeRange{estimate->least, estimate->most}) : std::nullopt;
  };
  const Downtime downtime = downtime_of(run, scenario);
  release.downtime = downtime.measured;
  release.downtime_in_production = range(downtime.in_production);
  for (Road& road : release.roads)
    road.in_production = range(with_all_rows_of_production(road.duration, run, scenario));
  add_risks(run, scenario, release);
  const bool stopped =
      run.failure || std::any_of(run.findings.begin(), run.findings.end(), [](const auto& finding) {
        return finding.level == Level::error && !finding.allowed;
      });
  const bool unfinished = std::any_of(release.checklist.begin(), release.checklist.end(),
                                      [](const auto& point) { return point.mark == Mark::failed; });
  release.decision = stopped || unfinished    ? record::Decision::no_go
                     : !release.risks.empty() ? record::Decision::go_with_risks
                                              : record::Decision::go;
}

}  // namespace lockkeeper::check
