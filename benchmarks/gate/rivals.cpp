#include "benchmarks/gate/rivals.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

#include <boost/math/distributions/normal.hpp>

namespace lockkeeper::gate_proof {

namespace {

constexpr double k_rival_error_rate = 0.01;

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

double mann_whitney(const std::vector<double>& base, const std::vector<double>& head) {
  if (base.empty() || head.empty()) return 1;
  std::vector<std::pair<double, bool>> all;
  all.reserve(base.size() + head.size());
  for (const double value : base) all.emplace_back(value, false);
  for (const double value : head) all.emplace_back(value, true);
  std::ranges::sort(all);
  double head_ranks = 0;
  double ties = 0;
  for (std::size_t first = 0; first < all.size();) {
    std::size_t end = first;
    std::size_t heads = 0;
    for (; end < all.size() && all[end].first == all[first].first; ++end) heads += all[end].second ? 1 : 0;
    const auto alike = static_cast<double>(end - first);
    head_ranks += static_cast<double>(heads) * (static_cast<double>(first + end) + 1) / 2;
    ties += alike * alike * alike - alike;
    first = end;
  }
  const auto n = static_cast<double>(base.size());
  const auto m = static_cast<double>(head.size());
  const double u = head_ranks - m * (m + 1) / 2;
  const double variance = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)));
  if (variance <= 0) return 1;
  // Half of a step, since U moves in steps of one.
  const double z = (u - n * m / 2 - 0.5) / std::sqrt(variance);
  return boost::math::cdf(boost::math::complement(boost::math::normal(), z));
}

RivalAlarms judge_blocks(const Blocks& blocks) {
  if (blocks.base.empty() || blocks.head.empty()) return {};
  const double ratio = mean(blocks.head) / mean(blocks.base);
  return {ratio > 2, ratio > 1.1, mann_whitney(blocks.base, blocks.head) < k_rival_error_rate};
}

}  // namespace lockkeeper::gate_proof
