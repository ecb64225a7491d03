#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace lockkeeper::benchmarks {

/// What a goal is a limit of.
enum class Judged { ratio_at_most, ratio_at_least, ours_at_most };

/// One line of the closing table. Sample n of both sides comes from the same round.
struct Measure {
  std::string name;
  std::string unit;        ///< of the samples
  std::string other_name;  ///< what stands on the other side; empty where there is none
  std::vector<double> ours;
  std::vector<double> other;
  Judged judged = Judged::ratio_at_most;
  double goal = 0;
  /// The ratio of a round is ours/other; of a speed it is other/ours, since the samples are times.
  bool ratio_of_speeds = false;
};

/// What was measured in this run, and what could not be.
class Ledger {
 public:
  void add(Measure measure) { m_measures.push_back(std::move(measure)); }
  void add_failure(const std::string& name, const Failure& failure);
  bool failed() const { return !m_failures.empty(); }
  /// "measure, ours, other, ratio, goal, met?": medians over the rounds; the ratio is the median of the
  /// rounds' ratios. Failures come last.
  std::string table() const;

 private:
  std::vector<Measure> m_measures;
  std::vector<std::string> m_failures;
};

/// The middle sample, or the mean of the two in the middle; 0 where there is none.
double median(std::vector<double> samples);

}  // namespace lockkeeper::benchmarks
