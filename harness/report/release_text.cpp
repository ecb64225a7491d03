#include "report/release_text.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "record/names.h"
#include "report/summary.h"

namespace lockkeeper::report {

namespace {

constexpr std::size_t k_name_width = 52;

std::string_view mark_of(bool ok) {
  return mark_of(ok ? Outcome::ok : Outcome::failed);
}

std::string_view box_of(record::Mark mark) {
  return mark == record::Mark::done ? "✔" : mark == record::Mark::failed ? "✘" : "☐";
}

std::string road_line(const record::Road& road) {
  // A road that nobody relies on is told all the same, and its failing is no fault.
  const std::string_view mark = road.leads_back() ? mark_of(true) : road.named ? mark_of(false) : "–";
  return fmt::format("  {} {:<{}} {:>8}  {}; rows lost: {}", mark, abridged(road.name, k_name_width),
                     k_name_width, human(road.duration), abridged(outcome_of(road), 100), losses_of(road));
}

}  // namespace

std::string step_line(const record::ReleaseStep& step) {
  const std::string evidence = step.evidence.empty() ? "" : step.evidence.front();
  return fmt::format("  {} {:<{}} {:>8}  {}", mark_of(step.ok), abridged(step.name, k_name_width),
                     k_name_width, step.duration.count() > 0 ? human(step.duration) : "",
                     abridged(evidence, 120));
}

std::string extent_of(const record::StateDifference& difference) {
  std::vector<std::string> parts;
  const auto add = [&](std::size_t count, std::string_view noun) {
    if (count > 0) parts.push_back(counted(static_cast<std::int64_t>(count), noun));
  };
  add(difference.objects.size(), "object");
  add(difference.data.size(), "table content");
  return join(parts, " and ") +
         (difference.objects.size() + difference.data.size() == 1 ? " differs" : " differ");
}

std::string_view word_of(record::Decision decision) {
  switch (decision) {
    case record::Decision::go:
      return "go";
    case record::Decision::go_with_risks:
      return "go, with named risks";
    case record::Decision::no_go:
      break;
  }
  return "no-go";
}

std::string outcome_of(const record::Road& road) {
  if (road.leads_back()) return "leads back";
  std::vector<std::string> parts;
  if (road.error) {
    const std::string where = road.stopped_at.empty() ? "" : fmt::format(" at {}", road.stopped_at);
    parts.push_back(fmt::format("fails{}: {}", where, road.error->message));
  }
  for (const auto& run : road.runs) {
    if (!run.clean())
      parts.push_back(fmt::format("{}, {}{}", run.status, counted(run.errors, "error"),
                                  run.said.empty() ? "" : ": " + run.said.front()));
  }
  if (!road.difference.empty() && parts.empty())
    parts.push_back("ends elsewhere: " + extent_of(road.difference));
  return join(parts, "; ");
}

std::string time_of(record::Microseconds here, const std::optional<record::TimeRange>& in_production) {
  if (!in_production) return human(here);
  if (human(in_production->least) == human(in_production->most))
    return fmt::format("{} here, {} in production", human(here), human(in_production->least));
  return fmt::format("{} here, {} to {} in production", human(here), human(in_production->least),
                     human(in_production->most));
}

std::string losses_of(const record::Road& road) {
  std::vector<std::string> parts;
  for (const auto& lost : road.lost)
    parts.push_back(fmt::format("{} {} of {}", lost.table, lost.lost, lost.written));
  if (parts.empty()) return road.leads_back() ? "none" : "–";
  return join(parts, ", ");
}

std::vector<std::string> surgical_ways(const record::Run& run) {
  std::vector<std::string> lines;
  for (const auto& migration : run.migrations) {
    for (const auto& write : migration.writes) {
      if (!write.stops_down) continue;
      lines.push_back(fmt::format("down of {} is stopped by {} in {}{}: {}", migration.version, write.what,
                                  write.table, write.key.empty() ? "" : " (" + write.key + ")",
                                  write.stops_down->message));
      for (const auto& rescue : write.rescues)
        lines.push_back(fmt::format(
            "  {}: {} ({})", rescue.what,
            rescue.error ? "does not help: " + rescue.error->message : "down runs then", rescue.sql));
      lines.push_back(
          "  keep the rows and stay at the new version: nothing is lost, and nothing is rolled back");
    }
  }
  return lines;
}

std::vector<std::string> release_lines(const record::Run& run) {
  const record::Release& release = *run.release;
  std::vector<std::string> lines;
  if (release.steps.empty()) return lines;
  if (!release.roads.empty()) lines.emplace_back("roads back");
  for (const auto& road : release.roads) lines.push_back(road_line(road));
  for (const auto& way : surgical_ways(run)) lines.push_back("    " + abridged(way, 180));
  if (!release.checklist.empty()) lines.emplace_back("checklist");
  for (const auto& point : release.checklist) {
    lines.push_back(fmt::format(
        "  {} {}{}", box_of(point.mark), point.point,
        point.mark == record::Mark::open
            ? (point.by.empty() ? std::string(" (only people can tell)") : " (" + point.evidence + ")")
        : point.evidence.empty() ? ""
                                 : ": " + abridged(point.evidence, 120)));
  }
  if (!release.risks.empty()) lines.emplace_back("risks");
  for (const auto& risk : release.risks) lines.push_back("  · " + abridged(risk, 180));
  lines.push_back(fmt::format("{}: downtime {}", word_of(release.decision),
                              time_of(release.downtime, release.downtime_in_production)));
  return lines;
}

}  // namespace lockkeeper::report
