#include "benchmarks/gate/tally.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace lockkeeper::gate_proof {

void Tally::add(const Outcome& outcome) {
  ++m_runs;
  if (outcome.verdict == record::TimeVerdict::beyond) ++m_beyond;
  if (outcome.verdict == record::TimeVerdict::within) ++m_within;
  if (outcome.rivals.over_200_percent) ++m_over_200_percent;
  if (outcome.rivals.over_110_percent) ++m_over_110_percent;
  if (outcome.rivals.mann_whitney) ++m_mann_whitney;
  m_pairs.push_back(static_cast<double>(outcome.pairs));
  m_seconds.push_back(outcome.seconds);
  m_base_milliseconds.push_back(outcome.base_milliseconds);
  m_ratios.push_back(outcome.ratio);
}

void Tally::add(const Tally& other) {
  m_runs += other.m_runs;
  m_beyond += other.m_beyond;
  m_within += other.m_within;
  m_over_200_percent += other.m_over_200_percent;
  m_over_110_percent += other.m_over_110_percent;
  m_mann_whitney += other.m_mann_whitney;
  const auto append = [](std::vector<double>& all, const std::vector<double>& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  append(m_pairs, other.m_pairs);
  append(m_seconds, other.m_seconds);
  append(m_base_milliseconds, other.m_base_milliseconds);
  append(m_ratios, other.m_ratios);
}

double Tally::quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto rank = std::ceil(share * static_cast<double>(values.size()));
  const auto at = static_cast<std::ptrdiff_t>(std::max(rank, 1.0)) - 1;
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

}  // namespace lockkeeper::gate_proof
