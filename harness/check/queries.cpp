#include "check/queries.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"

namespace lockkeeper::check {

namespace {

/// Linear between neighbours, as R's type 7 and numpy do it; `values` must not be empty.
double quantile(std::vector<double> values, double fraction) {
  std::sort(values.begin(), values.end());
  const double position = fraction * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(position));
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (position - static_cast<double>(below)) * (values[above] - values[below]);
}

}  // namespace

const scenario::Query* query_named(const scenario::Scenario& scenario, std::string_view name) {
  const auto found = std::find_if(scenario.queries.begin(), scenario.queries.end(),
                                  [&](const scenario::Query& query) { return query.name == name; });
  return found == scenario.queries.end() ? nullptr : &*found;
}

record::Finding finding_of(const Rule& rule, const scenario::Query& query, std::string message) {
  record::Finding finding = finding_of(rule, std::move(message));
  finding.statement = abridged(query.sql, 120);
  if (!query.location.file.empty()) finding.location = query.location;
  return finding;
}

Comparison compare(const record::QueryObservation& observation) {
  Comparison result;
  const std::size_t pairs =
      std::min(observation.base_milliseconds.size(), observation.head_milliseconds.size());
  std::vector<double> ratios;
  std::vector<double> base;
  std::vector<double> head;
  for (std::size_t at = 0; at < pairs; ++at) {
    // A time of zero is below the server's clock and has no ratio.
    if (observation.base_milliseconds[at] <= 0 || observation.head_milliseconds[at] <= 0) continue;
    base.push_back(observation.base_milliseconds[at]);
    head.push_back(observation.head_milliseconds[at]);
    ratios.push_back(head.back() / base.back());
  }
  result.pairs = ratios.size();
  if (ratios.empty()) return result;
  result.base_median = quantile(base, 0.5);
  result.head_median = quantile(head, 0.5);
  result.ratio_median = quantile(ratios, 0.5);
  result.ratio_low = quantile(ratios, 0.25);
  result.ratio_high = quantile(ratios, 0.75);
  return result;
}

std::string describe(const Comparison& comparison) {
  return fmt::format(
      "{} pairs: base median {:.2f} ms, head median {:.2f} ms, head/base {:.2f} (quartiles {:.2f} to {:.2f})",
      comparison.pairs, comparison.base_median, comparison.head_median, comparison.ratio_median,
      comparison.ratio_low, comparison.ratio_high);
}

}  // namespace lockkeeper::check
