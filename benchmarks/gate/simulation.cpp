#include "benchmarks/gate/simulation.h"

#include <cmath>

#include "base/interrupt.h"
#include "rehearsal/timing.h"

namespace lockkeeper::gate_proof {

namespace {

constexpr double k_fast_mode = 0.017;  // milliseconds
constexpr double k_slow_mode = 0.055;
constexpr std::int64_t k_most_pairs = 5'000;  // what five seconds give of a query of half a millisecond

Outcome compare_with_itself(const SimulationPlan& plan, std::uint64_t seed) {
  using Place = NoisyMachine::Place;
  NoisyMachine machine(seed);
  std::mt19937_64 coin(seed ^ 0x9e3779b97f4a7c15ULL);
  rehearsal::TimingPlan timing_plan;
  timing_plan.ratio_limit = plan.limit;
  timing_plan.error_rate = plan.error_rate;
  rehearsal::PairedDecision decision(timing_plan);
  while (decision.verdict() == record::TimeVerdict::not_decided && decision.pairs() < k_most_pairs) {
    const double first = machine.next(Place::first);
    const double second = machine.next(Place::second);
    const bool base_first = (coin() & 1) == 0;
    decision.add(base_first ? first : second, base_first ? second : first);
  }
  Outcome outcome;
  outcome.pairs = decision.pairs();
  outcome.verdict =
      decision.verdict() == record::TimeVerdict::not_decided ? decision.look() : decision.verdict();
  Blocks blocks;
  for (auto* side : {&blocks.base, &blocks.head}) {
    for (std::int64_t sample = 0; sample < outcome.pairs; ++sample)
      side->push_back(machine.next(Place::first));
  }
  outcome.rivals = judge_blocks(blocks);
  return outcome;
}

}  // namespace

NoisyMachine::NoisyMachine(std::uint64_t seed)
    : m_random(seed),
      m_mode_switch(any_size(1e-4, 0.3)),
      m_trend(uniform(-1e-4, 1e-4)),
      m_wander(any_size(1e-5, 1e-2)),
      m_burst_chance(any_size(1e-5, 1e-2)),
      m_burst_end(any_size(1e-2, 0.5)),
      m_burst_factor(any_size(1.5, 50)),
      m_tail_chance(any_size(1e-3, 0.3)),
      m_tail_exponent(uniform(1, 3)),
      m_memory(uniform(0, 0.99)),
      m_spread(any_size(0.005, 0.3)),
      m_second(any_size(0.7, 1.4)) {}

double NoisyMachine::any_size(double low, double high) {
  return std::exp(uniform(std::log(low), std::log(high)));
}

double NoisyMachine::next(Place place) {
  if (happens(m_mode_switch)) m_slow_mode = !m_slow_mode;
  if (happens(m_in_burst ? m_burst_end : m_burst_chance)) m_in_burst = !m_in_burst;
  m_level += m_trend + m_wander * noise();
  m_last = m_memory * m_last + std::sqrt(1 - m_memory * m_memory) * m_spread * noise();
  double time = (m_slow_mode ? k_slow_mode : k_fast_mode) * std::exp(m_level + m_last);
  if (m_in_burst) time *= m_burst_factor * uniform(0.5, 1);
  // Pareto: of an exponent below 2 it has no variance, at 1 not even a mean.
  if (happens(m_tail_chance)) time *= std::pow(1 - uniform(0, 1), -1 / m_tail_exponent);
  return place == Place::second ? time * m_second : time;
}

Result<Tally> simulate_nulls(const SimulationPlan& plan) {
  std::mt19937_64 seeds(plan.seed);
  Tally tally;
  for (int comparison = 0; comparison < plan.comparisons; ++comparison) {
    if (interrupted()) return failed_by_interrupt();
    tally.add(compare_with_itself(plan, seeds()));
  }
  return tally;
}

}  // namespace lockkeeper::gate_proof
