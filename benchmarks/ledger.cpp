#include "benchmarks/ledger.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace lockkeeper::benchmarks {

namespace {

using Cells = std::array<std::string, 6>;

double pair_ratio(const Measure& measure) {
  std::vector<double> ratios;
  for (std::size_t round = 0; round < std::min(measure.ours.size(), measure.other.size()); ++round) {
    const double ours = measure.ours[round];
    const double other = measure.other[round];
    if (ours <= 0 || other <= 0) continue;
    ratios.push_back(measure.ratio_of_speeds ? other / ours : ours / other);
  }
  return median(ratios);
}

std::string amount(double value, const std::string& unit) {
  return fmt::format("{:.1f} {}", value, unit);
}

Cells cells_of(const Measure& measure) {
  const double ours = median(measure.ours);
  const double ratio = pair_ratio(measure);
  const bool has_other = !measure.other.empty();
  std::string goal;
  bool met = false;
  switch (measure.judged) {
    case Judged::ratio_at_most:
      goal = fmt::format("ratio <= {:.2f}", measure.goal);
      met = ratio <= measure.goal;
      break;
    case Judged::ratio_at_least:
      goal = fmt::format("ratio >= {:.2f}", measure.goal);
      met = ratio >= measure.goal;
      break;
    case Judged::ours_at_most:
      goal = fmt::format("ours < {:.0f} {}", measure.goal, measure.unit);
      met = ours < measure.goal;
      break;
  }
  return {measure.name,
          amount(ours, measure.unit),
          has_other ? fmt::format("{} ({})", amount(median(measure.other), measure.unit), measure.other_name)
                    : "-",
          has_other ? fmt::format("{:.3f}", ratio) : "-",
          goal,
          met ? "yes" : "no"};
}

}  // namespace

double median(std::vector<double> samples) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  const std::size_t middle = samples.size() / 2;
  return samples.size() % 2 == 1 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2;
}

void Ledger::add_failure(const std::string& name, const Failure& failure) {
  m_failures.push_back(fmt::format("{}: {}", name, to_string(failure)));
}

std::string Ledger::table() const {
  std::vector<Cells> rows = {{"measure", "ours", "other", "ratio", "goal", "met?"}};
  for (const Measure& measure : m_measures) rows.push_back(cells_of(measure));
  std::array<std::size_t, 6> widths{};
  for (const Cells& row : rows) {
    for (std::size_t at = 0; at < row.size(); ++at) widths[at] = std::max(widths[at], row[at].size());
  }
  std::string text = "\n";
  for (const Cells& row : rows) {
    for (std::size_t at = 0; at + 1 < row.size(); ++at) text += fmt::format("{:<{}}  ", row[at], widths[at]);
    text += row.back() + "\n";
  }
  text += "medians over the rounds; the ratio is the median of the ratios of single rounds\n";
  for (const std::string& failure : m_failures) text += "not measured: " + failure + "\n";
  return text;
}

}  // namespace lockkeeper::benchmarks
