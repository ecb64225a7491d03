#include <ctime>

#include <fmt/format.h>

#include "base/text.h"
#include "record/names.h"
#include "report/escape.h"
#include "report/forms.h"
#include "report/release_text.h"
#include "report/summary.h"

/// The log that is kept of a migration, filled in by a release check.
namespace lockkeeper::report {

namespace {

using record::Mark;
using record::Release;
using record::Run;

std::string cell(std::string_view text) {
  return markdown_text(abridged(readable(text), 300));
}

std::string row(std::string_view name, std::string_view value) {
  return fmt::format("| {} | {} |\n", name, value);
}

/// RFC 3339 with some time added; as it stands where it is no such time.
std::string later(const std::string& time, record::Microseconds by) {
  std::tm parts{};
  if (::strptime(time.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr) return time;
  const std::time_t seconds = ::timegm(&parts) + static_cast<std::time_t>(by.count() / 1'000'000);
  std::tm end{};
  ::gmtime_r(&seconds, &end);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &end)};
}

std::string list_of(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "" : "<br>") + cell(text);
  return list.empty() ? "none" : list;
}

std::string head(const record::Record& record, const Run& run) {
  const Release& release = *run.release;
  std::vector<std::string> issues;
  for (const auto& finding : run.findings) {
    if (finding.level == record::Level::error)
      issues.push_back(fmt::format("{}: {}{}", finding.rule, finding.message,
                                   finding.expected ? " (as the scenario expects)" : ""));
  }
  if (run.failure) issues.push_back(run.failure->message);
  std::vector<std::string> backups;
  for (const auto& backup : release.backups)
    backups.push_back(fmt::format("{}: {}, {}, sha256 {}", backup.name, backup.file,
                                  human_bytes(backup.bytes), backup.sha256.empty() ? "none" : backup.sha256));
  std::vector<std::string> notes = release.risks;
  notes.insert(notes.end(), run.remarks.begin(), run.remarks.end());
  std::string text = fmt::format("# Migration log: {}\n\n| | |\n|---|---|\n", markdown_text(run.scenario));
  text += row("Date", record.started_at.substr(0, 10));
  text += row("Environment", cell(fmt::format("{}, rehearsed on {}", release.environment, server_of(run))));
  text +=
      row("Database", cell(fmt::format("{} ({}, {})", release.database, human_bytes(release.database_bytes),
                                       counted(run.base_rows, "row"))));
  text += row("Versions",
              cell(fmt::format("{} → {}", release.from.empty() ? "nothing" : release.from, release.to)));
  text += row("Backups", list_of(backups));
  text += row("Start", record.started_at);
  text += row("End", later(record.started_at, run.timings.total));
  text += row("Downtime", cell(time_of(release.downtime, release.downtime_in_production)));
  text += row("Status", fmt::format("**{}**", word_of(release.decision)));
  text += row("Issues", list_of(issues));
  return text + row("Notes", list_of(notes));
}

std::string steps_of(const Release& release) {
  std::string text = "\n## Steps\n\n| | step | begun | took | evidence |\n|---|---|---|---|---|\n";
  for (const auto& step : release.steps)
    text += fmt::format("| {} | {} | {} | {} | {} |\n", mark_of(step.ok ? Outcome::ok : Outcome::failed),
                        cell(step.name), human(step.begun), human(step.duration), list_of(step.evidence));
  return text;
}

std::string backups_of(const Release& release) {
  if (release.backups.empty()) return "";
  std::string text =
      "\n## Backups\n\n| backup | made by | size | made in | restored in | what comes back | damage |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const auto& backup : release.backups) {
    std::vector<std::string> damages;
    for (const auto& damage : backup.damages)
      damages.push_back(fmt::format(
          "{}: {}", damage.what, damage.noticed_by.empty() ? "only the checksum tells" : damage.noticed_by));
    const std::string back = !backup.restored            ? "not tried"
                             : !backup.restored->clean() ? "fails"
                             : backup.difference.empty() ? "the same"
                                                         : "differs";
    text += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", cell(backup.name),
                        markdown_code(backup.made.command), human_bytes(backup.bytes),
                        human(backup.made.duration), backup.restored ? human(backup.restored->duration) : "–",
                        back, list_of(damages));
  }
  return text;
}

std::string roads_of(const Run& run) {
  const Release& release = *run.release;
  if (release.roads.empty()) return "";
  std::string text =
      "\n## Roads back\n\n| road | relied on | outcome | takes | rows lost | once broken off |\n"
      "|---|---|---|---|---|---|\n";
  for (const auto& road : release.roads) {
    const std::string broken =
        road.broken_by.empty()
            ? "–"
            : fmt::format("{}: {}; taken again: {}", road.broken_by, road.noticed ? "told" : "not told",
                          !road.again                     ? "not tried"
                          : !road.again->clean()          ? "fails"
                          : road.again_difference.empty() ? "leads back"
                                                          : "ends elsewhere");
    text += fmt::format("| {} | {} | {} | {} | {} | {} |\n", cell(road.name), road.named ? "yes" : "no",
                        cell(outcome_of(road)), cell(time_of(road.duration, road.in_production)),
                        cell(losses_of(road)), cell(broken));
  }
  const auto ways = surgical_ways(run);
  if (ways.empty()) return text;
  text += "\nWays that keep the rows:\n\n";
  for (const auto& way : ways) text += (way.starts_with("  ") ? "  - " : "- ") + cell(trimmed(way)) + "\n";
  return text;
}

std::string failures_of(const Release& release) {
  if (release.failures.empty()) return "";
  std::string text =
      "\n## Stopped on the way\n\n| migration | before | left | answer | end |\n|---|---|---|---|---|\n";
  const auto state = [](const record::StateDifference& difference) {
    return difference.empty() ? std::string("the state before") : extent_of(difference);
  };
  for (const auto& failure : release.failures)
    text += fmt::format("| {} | {} | {} | {} | {} |\n", cell(failure.migration),
                        failure.how == record::StopKind::database_locked ? "it begins: somebody writes"
                        : failure.before.empty()                         ? "the last COMMIT"
                                                 : markdown_code(abridged(failure.before, 60)),
                        state(failure.left), failure.answer.empty() ? "none" : cell(failure.answer),
                        failure.answer_error     ? cell("fails: " + failure.answer_error->message)
                        : failure.answer.empty() ? state(failure.left)
                                                 : state(failure.after));
  return text;
}

std::string checklist_of(const Release& release) {
  if (release.checklist.empty()) return "";
  std::string text = "\n## Checklist\n\n";
  for (const auto& point : release.checklist) {
    const std::string answer =
        point.mark == Mark::open
            ? "open: " + (point.by.empty() ? std::string("only people can tell") : cell(point.evidence))
        : point.mark == Mark::failed ? "**not met**: " + cell(point.evidence)
                                     : cell(point.evidence);
    text += fmt::format("- [{}] {} — {}\n", point.mark == Mark::done ? "x" : " ", cell(point.point), answer);
  }
  return text;
}

}  // namespace

std::string release_tables(const Run& run) {
  return backups_of(*run.release) + roads_of(run) + failures_of(*run.release) + checklist_of(*run.release);
}

std::string render_log(const record::Record& record) {
  std::string text;
  for (const Run& run : record.runs) {
    if (!run.release) continue;
    if (!text.empty()) text += "\n";
    text += head(record, run) + steps_of(*run.release) + release_tables(run);
  }
  if (text.empty()) text = "# Migration log\n\nNo release was checked: lockkeeper release fills this in.\n";
  return text;
}

}  // namespace lockkeeper::report
