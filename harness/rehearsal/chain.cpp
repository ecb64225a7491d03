#include "rehearsal/chain.h"

#include <utility>

#include <fmt/format.h>

#include "rehearsal/course.h"

/// The chain: all of the trial back in reverse order, compared with where it began, and up again. A down that
/// fails alone may pass here (a later one renames first), and one that passes alone may stand in another's
/// way.
namespace lockkeeper::rehearsal {

using engine::Instance;
using engine::Observe;
using record::Side;

Result<std::vector<record::InvariantObservation>> ask_invariants(Instance& instance,
                                                                 const scenario::Scenario& scenario,
                                                                 record::Moment moment,
                                                                 const std::string& migration) {
  std::vector<record::InvariantObservation> seen;
  for (const auto& invariant : scenario.invariants) {
    const auto answer = instance.try_query({invariant.sql, {}});
    if (!answer) return failed(answer);
    seen.push_back({invariant.name, moment, migration, answer->text(), answer->error});
  }
  return seen;
}

Result<ChainSeen> ChainDrive::drive(Instance& instance, const std::vector<std::size_t>& steps,
                                    const engine::State& target, const engine::State& head) {
  m_seen = {};
  m_seen.record.ran = true;
  const auto arrived = back(instance, steps, target);
  if (!arrived) return failed(arrived);
  if (*arrived) {
    if (const auto done = again(instance, steps, head); !done) return failed(done);
  }
  return std::move(m_seen);
}

/// False where a down fails.
Result<bool> ChainDrive::back(Instance& instance, const std::vector<std::size_t>& steps,
                              const engine::State& target) {
  auto& chain = m_seen.record;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const auto& migration = m_history.migrations[*step];
    auto outcome = run_side(instance, migration, Side::down, m_statement_timeout, Observe::no);
    if (!outcome) return failed(outcome);
    chain.back.push_back({migration.version, std::move(outcome->run)});
    if (chain.back.back().run.error) return false;
  }
  // Everything is read anew: had the evidence by which tables were skipped ever lied, it would show here. The
  // target only says of which types columns were: what is equal once cast back was not lost by a change of
  // type.
  const auto state = instance.read_state(&target, everything());
  if (!state) return failed(state);
  chain.back_difference = engine::without(engine::compare(target, *state), m_noise);
  if (chain.back_difference.empty()) {
    if (const auto restored = instance.restore_sequences(target); !restored) return failed(restored);
  }
  auto invariants = ask_invariants(instance, m_scenario, record::Moment::after_chain, "");
  if (!invariants) return failed(invariants);
  m_seen.invariants = std::move(*invariants);
  return true;
}

Result<void> ChainDrive::again(Instance& instance, const std::vector<std::size_t>& steps,
                               const engine::State& head) {
  auto& chain = m_seen.record;
  for (const std::size_t step : steps) {
    const auto& migration = m_history.migrations[step];
    auto outcome = run_side(instance, migration, Side::up, m_statement_timeout, Observe::no);
    if (!outcome) return failed(outcome);
    chain.again.push_back({migration.version, std::move(outcome->run)});
    if (chain.again.back().run.error) return {};
  }
  const auto state = instance.read_state(&head, everything());
  if (!state) return failed(state);
  chain.again_difference = engine::without(engine::compare(head, *state), m_noise);
  return {};
}

ChainBeside::ChainBeside(Ground& ground, const scenario::Scenario& scenario, const history::History& history,
                         const history::Trial& trial, std::chrono::milliseconds statement_timeout)
    : m_scenario(scenario),
      m_history(history),
      m_trial(trial),
      m_statement_timeout(statement_timeout),
      // What stops it is for the chain to find again: it is driven where the steps were taken then.
      m_thread([this, &ground] {
        if (!drive(ground)) m_seen.reset();
      }) {}

ChainBeside::~ChainBeside() {
  m_abandoned = true;
  finish();
}

void ChainBeside::finish() {
  if (m_thread.joinable()) m_thread.join();
}

std::optional<ChainSeen> ChainBeside::wait_for(const std::vector<std::size_t>& steps) {
  finish();
  return steps == m_steps ? std::move(m_seen) : std::nullopt;
}

/// Up to the head, and back and up from there. The instance lives and dies with this thread.
Result<void> ChainBeside::drive(Ground& ground) {
  const auto instance = ground.base();
  if (!instance) return failed(instance);
  engine::State floor;
  const engine::State* target = &ground.base_state();
  for (const std::size_t index : m_trial.judged) {
    const auto up = go_up(**instance, index, floor);
    if (!up) return failed(up);
    if (!*up) return {};  // what it left behind is no part of the chain: for the clean instance of the steps
    if (!m_history.migrations[index].down_path) target = &floor;
  }
  if (m_steps.empty() || m_abandoned) return {};
  const auto head = (*instance)->read_state(target, everything());
  if (!head) return failed(head);
  auto seen =
      ChainDrive(m_scenario, m_history, m_statement_timeout, {}).drive(**instance, m_steps, *target, *head);
  if (!seen) return failed(seen);
  m_seen = std::move(*seen);
  return {};
}

/// False where the migration does not go up.
Result<bool> ChainBeside::go_up(Instance& instance, std::size_t index, engine::State& floor) {
  if (m_abandoned) return false;
  const auto& migration = m_history.migrations[index];
  const auto outcome = run_side(instance, migration, Side::up, m_statement_timeout, Observe::no);
  if (!outcome) return failed(outcome);
  if (outcome->run.error) return false;
  m_steps.push_back(index);
  if (migration.down_path) return true;
  // From here there is no way further back.
  m_steps.clear();
  auto state = instance.read_state(nullptr, everything());
  if (!state) return failed(state);
  floor = std::move(*state);
  return true;
}

/// The chain where the steps were taken one by one.
Result<ChainSeen> Course::drive_chain(const std::vector<std::size_t>& steps) {
  const engine::State head = std::move(m_state);
  return ChainDrive(m_scenario, m_history, m_options.statement_timeout, m_noise)
      .drive(*m_instance, steps, m_floor ? m_floor_state : m_ground.base_state(), head);
}

/// Rows that were made between the migrations would be gone after the way back and up: a clean instance goes
/// up without them. None where one of them does not.
Result<std::optional<ChainSeen>> Course::drive_chain_without_rows(const std::vector<std::size_t>& steps) {
  auto instance = m_ground.base();
  if (!instance) return failed(instance);
  engine::State target = m_ground.base_state();
  for (const std::size_t index : m_passed) {
    const auto outcome = run(**instance, m_history.migrations[index], Side::up, Observe::no);
    if (!outcome) return failed(outcome);
    if (outcome->run.error) return std::optional<ChainSeen>();
    if (!m_floor || index != *m_floor) continue;
    auto floor = (*instance)->read_state(nullptr, everything());
    if (!floor) return failed(floor);
    target = std::move(*floor);
  }
  const auto head = (*instance)->read_state(nullptr, everything());
  if (!head) return failed(head);
  auto seen = ChainDrive(m_scenario, m_history, m_options.statement_timeout, m_noise)
                  .drive(**instance, steps, target, *head);
  if (!seen) return failed(seen);
  return std::optional(std::move(*seen));
}

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
  if (m_options.progress) m_options.progress("the whole trial back, and up again");
  auto seen = take_chain_beside(steps);
  if (!seen && m_ground.seeds()) {
    auto driven = drive_chain_without_rows(steps);
    if (!driven) return failed(driven);
    if (!*driven) {
      chain.skipped_reason = "a migration that passes with rows does not go up without";
      return {};
    }
    seen = std::move(*driven);
  }
  if (!seen) {
    auto driven = drive_chain(steps);
    if (!driven) return failed(driven);
    seen = std::move(*driven);
  }
  seen->record.stops_at = std::move(chain.stops_at);
  chain = std::move(seen->record);
  m_run.invariants.insert(m_run.invariants.end(), seen->invariants.begin(), seen->invariants.end());
  return {};
}

/// The chain that was driven beside the steps, now that it is known what is not deterministic. None where
/// there is none for these steps, or where sequences were left where they were because of such a difference.
std::optional<ChainSeen> Course::take_chain_beside(const std::vector<std::size_t>& steps) {
  if (!m_chain_beside) return std::nullopt;
  auto seen = m_chain_beside->wait_for(steps);
  m_chain_beside.reset();
  if (!seen) return seen;
  auto& chain = seen->record;
  const bool was_empty = chain.back_difference.empty();
  chain.back_difference = engine::without(std::move(chain.back_difference), m_noise);
  chain.again_difference = engine::without(std::move(chain.again_difference), m_noise);
  const bool numbered_otherwise =
      !was_empty && chain.back_difference.empty() && !chain.again_difference.empty();
  if (numbered_otherwise) return std::nullopt;
  return seen;
}

/// Where there is a second processor and room for a second server, and nobody waits at the first failure.
void Course::start_chain_beside() {
  if (m_options.keep == Keep::yes || !m_trial.in_one_piece() || !m_ground.has_room_beside()) return;
  m_chain_beside =
      std::make_unique<ChainBeside>(m_ground, m_scenario, m_history, m_trial, m_options.statement_timeout);
}

}  // namespace lockkeeper::rehearsal
