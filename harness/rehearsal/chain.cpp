#include <algorithm>

#include <fmt/format.h>

#include "rehearsal/course.h"

/// The chain: all of the trial back in reverse order, compared with where it began, and up again. A down that
/// fails alone may pass here (a later one renames first), and one that passes alone may stand in another's
/// way.
namespace lockkeeper::rehearsal {

using engine::Observe;
using record::Side;

Result<void> Course::chain() {
  auto& chain = m_run.chain;
  if (m_floor) chain.stops_at = m_history.migrations[*m_floor].version;
  std::vector<std::size_t> steps;
  for (const std::size_t index : m_passed) {
    if (!m_floor || index > *m_floor) steps.push_back(index);
  }
  if (steps.empty()) {
    chain.skipped_reason =
        m_passed.empty() ? "nothing of the trial is up" : "no migration after the last one without a down";
    return {};
  }
  if (steps.back() - steps.front() + 1 != steps.size()) {
    chain.skipped_reason = "migrations that are not on trial stand in between";
    return {};
  }
  chain.ran = true;
  if (m_options.progress) m_options.progress("the whole trial back, and up again");
  const engine::State head = std::move(m_state);
  const auto arrived = chain_back(steps, m_floor ? m_floor_state : m_ground.base_state());
  if (!arrived) return failed(arrived);
  return *arrived ? chain_again(steps, head) : Result<void>();
}

/// False where a down fails: what follows would be judged on ruins.
Result<bool> Course::chain_back(const std::vector<std::size_t>& steps, const engine::State& target) {
  auto& chain = m_run.chain;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const auto& migration = m_history.migrations[*step];
    auto outcome = run(*m_instance, migration, Side::down, Observe::no);
    if (!outcome) return failed(outcome);
    chain.back.push_back({migration.version, std::move(outcome->run)});
    if (chain.back.back().run.error) return false;
  }
  // Everything is read anew: had the evidence by which tables were skipped ever lied, it would show here. The
  // target only says of which types columns were: what is equal once cast back was not lost by a change of
  // type.
  const auto state = m_instance->read_state(&target, everything());
  if (!state) return failed(state);
  chain.back_difference = engine::without(engine::compare(target, *state), m_noise);
  if (chain.back_difference.empty()) {
    if (const auto restored = m_instance->restore_sequences(target); !restored) return failed(restored);
  }
  if (const auto seen = observe_invariants(record::Moment::after_chain, ""); !seen) return failed(seen);
  return true;
}

Result<void> Course::chain_again(const std::vector<std::size_t>& steps, const engine::State& head) {
  auto& chain = m_run.chain;
  for (const std::size_t step : steps) {
    const auto& migration = m_history.migrations[step];
    auto outcome = run(*m_instance, migration, Side::up, Observe::no);
    if (!outcome) return failed(outcome);
    chain.again.push_back({migration.version, std::move(outcome->run)});
    if (chain.again.back().run.error) return {};
  }
  const auto state = m_instance->read_state(&head, everything());
  if (!state) return failed(state);
  chain.again_difference = engine::without(engine::compare(head, *state), m_noise);
  return {};
}

}  // namespace lockkeeper::rehearsal
