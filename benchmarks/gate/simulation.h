#pragma once

#include <cstdint>
#include <random>

#include "base/result.h"
#include "benchmarks/gate/tally.h"

namespace lockkeeper::gate_proof {

/// A machine on which the same query never takes the same time twice: two modes (17 and 55 µs), a drift,
/// bursts that hit many executions in a row, heavy tails, neighbours in time that are alike, and a second of
/// a pair that finds other caches than the first. How much there is of each is drawn with the machine.
class NoisyMachine {
 public:
  enum class Place { first, second };  ///< in a pair, or in a block always the first

  explicit NoisyMachine(std::uint64_t seed);
  /// Milliseconds of the next execution.
  double next(Place place);

 private:
  double uniform(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(m_random);
  }
  /// From `low` to `high`, each order of magnitude alike.
  double any_size(double low, double high);
  bool happens(double chance) { return std::bernoulli_distribution(chance)(m_random); }
  double noise() { return std::normal_distribution<double>()(m_random); }

  std::mt19937_64 m_random;
  double m_mode_switch;
  double m_trend;
  double m_wander;
  double m_burst_chance;
  double m_burst_end;
  double m_burst_factor;
  double m_tail_chance;
  double m_tail_exponent;
  double m_memory;
  double m_spread;
  double m_second;

  bool m_slow_mode = false;
  bool m_in_burst = false;
  double m_level = 0;
  double m_last = 0;
};

struct SimulationPlan {
  std::uint64_t seed = 0;
  int comparisons = 0;
  double limit = 0;
  double error_rate = 0;
};

/// Comparisons of a query with itself, by the decision that the gate takes (rehearsal/timing.h), with no
/// clock in it. A Failure: a signal came in.
Result<Tally> simulate_nulls(const SimulationPlan& plan);

}  // namespace lockkeeper::gate_proof
