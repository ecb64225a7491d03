#pragma once

#include <cstdint>
#include <vector>

/// Statistics of samples that may be looked at after each one, and that need no assumption of how times are
/// distributed.
namespace lockkeeper::rehearsal {

/// Least number of heads among `tosses` of a coin at which it is no longer believed to be fair (or to favour
/// tails), however often and whenever one looks: the chance that a fair coin ever reaches it is at most
/// `error_rate`. More than `tosses` where none is enough yet.
///
/// The test is a mixture of likelihood ratios, ∫ 2^n θ^k (1−θ)^(n−k) π(θ) dθ with π of Beta(a, a) cut to
/// θ > 1/2 for three a, which is a nonnegative supermartingale under P(heads) ≤ 1/2, and Ville's inequality
/// (1939): H. Robbins, "Statistical methods related to the law of the iterated logarithm", Ann. Math.
/// Statist. 41 (1970); the form with a beta mixture as in S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon,
/// "Time-uniform, nonparametric, nonasymptotic confidence sequences", Ann. Statist. 49 (2021). The incomplete
/// beta function is Boost.Math's.
std::int64_t critical_heads(std::int64_t tosses, double error_rate);

struct Bounds {
  double low = 0;
  double median = 0;
  double high = 0;
};

/// Positive numbers, counted in bins of a tenth of a percent, so that memory does not grow with their number.
class Histogram {
 public:
  Histogram();
  void add(double value);
  std::int64_t count() const { return m_count; }
  double median() const;
  /// Bounds of the median of the distribution that the values come from. Each is wrong with a chance of at
  /// most `error_rate` in all the looks that are taken together: the values above a lower bound are more than
  /// a fair coin would give (Howard and Ramdas, "Sequential estimation of quantiles with applications to A/B
  /// testing and best-arm identification", Bernoulli 28, 2022). 0 and infinity while nothing is known.
  /// Rounded outwards to the bins.
  Bounds bounds(double error_rate) const;

 private:
  double edge(std::size_t bin) const;  ///< its lower one
  std::vector<std::uint32_t> m_bins;
  std::int64_t m_count = 0;
};

/// Base and head sampled in pairs, one right after the other in random order.
///
/// Where head is base, which of the two comes out slower in a pair is a fair coin whatever the machine does,
/// since the order was drawn (R. A. Fisher, "The Design of Experiments", 1935): so a query that did not
/// change is called slower with a chance of at most the error rate, on any machine. For other ratios pairs
/// are taken to be independent.
class PairedTimes {
 public:
  void add(double base, double head);
  std::int64_t pairs() const { return m_ratio.count(); }
  const Histogram& ratio() const { return m_ratio; }  ///< head / base
  const Histogram& base() const { return m_base; }
  const Histogram& head() const { return m_head; }

 private:
  Histogram m_ratio;
  Histogram m_base;
  Histogram m_head;
};

}  // namespace lockkeeper::rehearsal
