#include "check/queries.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/identity.h"

namespace lockkeeper::check {

namespace {

bool holds(const std::vector<std::string>& names, const std::string& name) {
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& other) { return same_identity(other, name); });
}

/// A table of the trial's own has no plan on base to be compared with.
bool is_new(const record::Run& run, const std::string& table) {
  return std::any_of(
      run.migrations.begin(), run.migrations.end(), [&](const record::MigrationRecord& migration) {
        return std::any_of(migration.forward_change.objects.begin(), migration.forward_change.objects.end(),
                           [&](const record::ObjectDifference& object) {
                             return object.change == record::Change::added &&
                                    same_identity(object.identity, table);
                           });
      });
}

/// What an import or a person says in front of a query is not the query.
std::string_view without_front_comments(std::string_view text) {
  while (true) {
    const std::size_t at = text.find_first_not_of(" \t\r\n");
    if (at == std::string_view::npos || !text.substr(at).starts_with("--")) return text;
    const std::size_t end = text.find('\n', at);
    if (end == std::string_view::npos) return text;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

const scenario::Query* query_named(const scenario::Scenario& scenario, std::string_view name) {
  const auto found = std::find_if(scenario.queries.begin(), scenario.queries.end(),
                                  [&](const scenario::Query& query) { return query.name == name; });
  return found == scenario.queries.end() ? nullptr : &*found;
}

std::string title_of(const record::Run& run, const record::QueryObservation& observation) {
  const auto sets = std::count_if(run.queries.begin(), run.queries.end(),
                                  [&](const auto& other) { return other.name == observation.name; });
  if (sets < 2) return fmt::format("query '{}'", observation.name);
  return fmt::format("query '{}' with ({})", observation.name, observation.parameters);
}

record::Finding finding_of(const Rule& rule, const scenario::Query& query, std::string message) {
  record::Finding finding = finding_of(rule, std::move(message));
  finding.statement = abridged(without_front_comments(query.sql), 120);
  if (!query.location.file.empty()) finding.location = query.location;
  return finding;
}

std::optional<double> ratio_limit_of(const scenario::Query& query, const scenario::Scenario& scenario) {
  if (query.at_most || query.at_most_time || query.at_least_faster) return query.at_most;
  return scenario.benchmark.at_most;
}

std::string interval_text(double low, const std::optional<double>& high) {
  return fmt::format("{:.2f} to {}", low, high ? fmt::format("{:.2f}", *high) : "?");
}

std::string describe(const record::QueryTiming& timing) {
  return fmt::format("{}: base {}, head {}, head/base {:.2f} ({})", counted(timing.pairs, "pair"),
                     human_milliseconds(timing.base_median), human_milliseconds(timing.head_median),
                     timing.ratio, interval_text(timing.ratio_low, timing.ratio_high));
}

std::vector<std::string> newly_read_whole(const record::Run& run,
                                          const record::QueryObservation& observation) {
  std::vector<std::string> tables;
  if (observation.base_error) return tables;
  for (const std::string& table : observation.head_plan.sequential_scans) {
    const bool on_base = names(observation.base_plan.text, bare_name(table));
    if (on_base && !holds(observation.base_plan.sequential_scans, table) && !is_new(run, table)) {
      tables.push_back(table);
    }
  }
  return tables;
}

}  // namespace lockkeeper::check
