#include "rehearsal/sequential.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <boost/math/special_functions/beta.hpp>

namespace lockkeeper::rehearsal {

namespace {

// The mixture is one of three: the first sees what is plain in a dozen tosses, the others what takes hundreds
// and thousands.
constexpr std::array<double, 3> k_priors = {2, 20, 200};

// From a ten-millionth to ten million times (milliseconds: to hours); what lies beyond counts as being at the
// edge.
constexpr double k_bins_of_one = 1000;  // bins of an e-fold
constexpr double k_reach = 16.2;        // e-folds on either side
constexpr auto k_bins = static_cast<std::size_t>(2 * k_reach * k_bins_of_one) + 2;

/// Logarithm of the likelihood ratio for so many heads, mixed over a Beta(prior, prior) above one half.
double evidence(std::int64_t heads, std::int64_t tosses, double prior) {
  const double up = static_cast<double>(heads) + prior;
  const double down = static_cast<double>(tosses - heads) + prior;
  const auto log_beta = [](double a, double b) {
    return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b);
  };
  const double above_half = boost::math::ibetac(up, down, 0.5);
  if (above_half <= 0) return -std::numeric_limits<double>::infinity();
  return static_cast<double>(tosses) * std::log(2.0) + log_beta(up, down) + std::log(above_half) -
         (log_beta(prior, prior) - std::log(2.0));
}

/// The same of all priors, each with the same weight.
double evidence(std::int64_t heads, std::int64_t tosses) {
  std::array<double, k_priors.size()> parts{};
  std::ranges::transform(k_priors, parts.begin(),
                         [&](double prior) { return evidence(heads, tosses, prior); });
  const double most = std::ranges::max(parts);
  if (std::isinf(most)) return most;
  double sum = 0;
  for (const double part : parts) sum += std::exp(part - most);
  return most + std::log(sum / static_cast<double>(k_priors.size()));
}

}  // namespace

std::int64_t critical_heads(std::int64_t tosses, double error_rate) {
  const double enough = -std::log(error_rate);
  // Below half of them the evidence is never enough, and from there on it grows.
  std::int64_t low = tosses / 2;
  std::int64_t high = tosses + 1;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (middle <= tosses && evidence(middle, tosses) < enough) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Histogram::Histogram() : m_bins(k_bins, 0) {}

double Histogram::edge(std::size_t bin) const {
  return std::exp(static_cast<double>(bin) / k_bins_of_one - k_reach);
}

void Histogram::add(double value) {
  const double position = (std::log(std::max(value, 1e-300)) + k_reach) * k_bins_of_one;
  const double most = static_cast<double>(k_bins - 1);
  ++m_bins[static_cast<std::size_t>(std::clamp(std::floor(position), 0.0, most))];
  ++m_count;
}

double Histogram::median() const {
  std::int64_t below = 0;
  for (std::size_t bin = 0; bin < m_bins.size(); ++bin) {
    below += m_bins[bin];
    if (2 * below >= m_count && m_count > 0) return std::sqrt(edge(bin) * edge(bin + 1));
  }
  return 0;
}

Bounds Histogram::bounds(double error_rate) const {
  Bounds bounds{0, median(), std::numeric_limits<double>::infinity()};
  const std::int64_t wanted = critical_heads(m_count, error_rate);
  if (wanted > m_count) return bounds;
  std::int64_t seen = 0;
  for (std::size_t bin = m_bins.size(); bin-- > 0;) {
    seen += m_bins[bin];
    if (seen < wanted) continue;
    bounds.low = bin == 0 ? 0 : edge(bin);
    break;
  }
  seen = 0;
  for (std::size_t bin = 0; bin < m_bins.size(); ++bin) {
    seen += m_bins[bin];
    if (seen < wanted) continue;
    bounds.high = bin + 1 == m_bins.size() ? std::numeric_limits<double>::infinity() : edge(bin + 1);
    break;
  }
  return bounds;
}

/// A clock may stand still over an execution; two that took no time are alike.
void PairedTimes::add(double base, double head) {
  constexpr double k_least = 1e-12;
  base = std::max(base, k_least);
  head = std::max(head, k_least);
  m_ratio.add(head / base);
  m_base.add(base);
  m_head.add(head);
}

}  // namespace lockkeeper::rehearsal
