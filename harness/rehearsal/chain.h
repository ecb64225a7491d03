#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "rehearsal/ground.h"

namespace lockkeeper::rehearsal {

/// What was seen of a chain. Differences are as they are: what is not deterministic is still in them.
struct ChainSeen {
  record::ChainRecord record;
  std::vector<record::InvariantObservation> invariants;
};

/// The answers to the scenario's invariants at a moment.
Result<std::vector<record::InvariantObservation>> ask_invariants(engine::Instance& instance,
                                                                 const scenario::Scenario& scenario,
                                                                 record::Moment moment,
                                                                 const std::string& migration);

/// Takes `steps`, which are up, all back in reverse order, compares the end with `target`, and takes them up
/// again, compared with `head`. Stops where a side fails: what follows would be judged on ruins.
class ChainDrive {
 public:
  ChainDrive(const scenario::Scenario& scenario, const history::History& history,
             std::chrono::milliseconds statement_timeout, const record::StateDifference& noise)
      : m_scenario(scenario), m_history(history), m_statement_timeout(statement_timeout), m_noise(noise) {}

  Result<ChainSeen> drive(engine::Instance& instance, const std::vector<std::size_t>& steps,
                          const engine::State& target, const engine::State& head);

 private:
  Result<bool> back(engine::Instance& instance, const std::vector<std::size_t>& steps,
                    const engine::State& target);
  Result<void> again(engine::Instance& instance, const std::vector<std::size_t>& steps,
                     const engine::State& head);

  const scenario::Scenario& m_scenario;
  const history::History& m_history;
  std::chrono::milliseconds m_statement_timeout;
  const record::StateDifference& m_noise;
  ChainSeen m_seen;
};

/// The chain on a clean instance of its own, driven while the single steps are taken on another: on a second
/// processor it costs next to no time. It looks at the history alone, and so has to agree with them about
/// which migrations go up before it may stand for the chain.
class ChainBeside {
 public:
  ChainBeside(Ground& ground, const scenario::Scenario& scenario, const history::History& history,
              const history::Trial& trial, std::chrono::milliseconds statement_timeout);
  /// Waits for the side that is under way.
  ~ChainBeside();
  ChainBeside(const ChainBeside&) = delete;
  ChainBeside& operator=(const ChainBeside&) = delete;

  /// Waits for the end: for what shall not be disturbed by it.
  void finish();
  /// Waits for the end. None where the chain took other steps than these, or could not be driven.
  std::optional<ChainSeen> wait_for(const std::vector<std::size_t>& steps);

 private:
  Result<void> drive(Ground& ground);
  Result<bool> go_up(engine::Instance& instance, std::size_t index, engine::State& floor);

  const scenario::Scenario& m_scenario;
  const history::History& m_history;
  const history::Trial& m_trial;
  std::chrono::milliseconds m_statement_timeout;
  std::vector<std::size_t> m_steps;
  std::optional<ChainSeen> m_seen;
  std::atomic<bool> m_abandoned{false};
  std::thread m_thread;  // last: it uses all of the above
};

}  // namespace lockkeeper::rehearsal
