#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/query_session.h"
#include "record/record.h"
#include "rehearsal/sequential.h"

namespace lockkeeper::rehearsal {

/// What a comparison of times is to decide, and how surely.
struct TimingPlan {
  std::optional<double> ratio_limit;         ///< of head / base
  std::optional<double> milliseconds_limit;  ///< of head
  double error_rate = 0.001;                 ///< at which each bound may be wrong
  std::chrono::milliseconds budget{5000};
  std::uint64_t seed = 0;
};

/// No verdict before, unless the budget is over: pairs of microseconds that follow each other at once are all
/// alike, and the first ones cold. A look-up that was slower by 10 % was called within a limit of 5 % by its
/// first dozen of pairs in 34 of 400 trials beside a busy core, and in none of 400 after 100 ms.
inline constexpr std::chrono::milliseconds k_least_sampling{200};

/// What pairs of times say to the limits of a plan, whoever took them: a look may be the last one, at
/// whatever pair it happens, and the error rate holds for all of them together.
class PairedDecision {
 public:
  explicit PairedDecision(const TimingPlan& plan) : m_plan(plan) {}

  /// Looks where the pairs have grown by a few percent since the last look, which costs more than a pair
  /// does.
  record::TimeVerdict add(double base_milliseconds, double head_milliseconds);
  record::TimeVerdict look();
  record::TimeVerdict verdict() const { return m_verdict; }  ///< of the last look
  std::int64_t pairs() const { return m_times.pairs(); }
  /// Writes down what the last look saw.
  void describe(record::QueryTiming& timing) const;

 private:
  TimingPlan m_plan;
  PairedTimes m_times;
  Bounds m_ratio;
  Bounds m_head;
  std::int64_t m_next_look = 1;
  record::TimeVerdict m_verdict = record::TimeVerdict::not_decided;
};

/// Times the query that is prepared in both sessions, in pairs whose order is drawn, until it is clear on
/// which side of its limits it is, or the time is over. Google Benchmark times the executions, each by
/// itself: it cannot tell when to stop, and draws its order from a seed that nobody can name. Executions that
/// fail or take too long are dropped with their pair, and counted. A Failure: a session is lost, or a signal
/// came in.
Result<record::QueryTiming> time_in_pairs(engine::QuerySession& base, engine::QuerySession& head,
                                          const engine::Parameters& parameters, const TimingPlan& plan);

}  // namespace lockkeeper::rehearsal
