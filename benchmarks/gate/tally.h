#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "benchmarks/gate/rivals.h"
#include "record/record.h"

namespace lockkeeper::gate_proof {

/// One comparison by the gate and, with as many samples, by the others.
struct Outcome {
  record::TimeVerdict verdict = record::TimeVerdict::not_decided;
  std::int64_t pairs = 0;
  double seconds = 0;            ///< until the verdict
  double base_milliseconds = 0;  ///< median, as the gate saw it
  double ratio = 0;              ///< the same
  RivalAlarms rivals;
};

/// Comparisons of one sort, counted.
class Tally {
 public:
  void add(const Outcome& outcome);
  void add(const Tally& other);
  std::int64_t runs() const { return m_runs; }
  std::int64_t beyond() const { return m_beyond; }
  std::int64_t within() const { return m_within; }
  std::int64_t undecided() const { return m_runs - m_beyond - m_within; }
  std::int64_t over_200_percent() const { return m_over_200_percent; }
  std::int64_t over_110_percent() const { return m_over_110_percent; }
  std::int64_t mann_whitney() const { return m_mann_whitney; }
  double pairs_quantile(double share) const { return quantile(m_pairs, share); }
  double seconds_quantile(double share) const { return quantile(m_seconds, share); }
  double base_milliseconds() const { return quantile(m_base_milliseconds, 0.5); }  ///< median of the medians
  double ratio() const { return quantile(m_ratios, 0.5); }                         ///< the same

 private:
  static double quantile(std::vector<double> values, double share);  ///< 0 where there are none

  std::int64_t m_runs = 0;
  std::int64_t m_beyond = 0;
  std::int64_t m_within = 0;
  std::int64_t m_over_200_percent = 0;
  std::int64_t m_over_110_percent = 0;
  std::int64_t m_mann_whitney = 0;
  std::vector<double> m_pairs;
  std::vector<double> m_seconds;
  std::vector<double> m_base_milliseconds;
  std::vector<double> m_ratios;
};

}  // namespace lockkeeper::gate_proof
