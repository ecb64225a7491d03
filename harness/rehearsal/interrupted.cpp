#include <algorithm>
#include <set>

#include "rehearsal/course.h"

/// Stage 5, interrupted: up is stopped in its middle and run again, beside the instance that goes on. What a
/// stop leaves must be S0 or S1, and the retry must end in S1.
namespace lockkeeper::rehearsal {

using engine::Observe;
using engine::Stop;
using record::Interruption;
using record::Side;
using record::StopKind;
using record::TransactionShape;

namespace {

/// Of a side in one transaction, where a stop at any statement should leave the same; of one that commits on
/// its way, where each stop is followed by a retry from a clean start.
constexpr std::size_t k_most_inside = 5;
constexpr std::size_t k_most_between = 25;

/// Evenly spread over [0, count), first and last among them.
std::vector<std::size_t> spread(std::size_t count, std::size_t most) {
  std::set<std::size_t> chosen;
  const std::size_t wanted = std::min(count, most);
  for (std::size_t i = 0; i < wanted; ++i) chosen.insert(wanted == 1 ? 0 : i * (count - 1) / (wanted - 1));
  return {chosen.begin(), chosen.end()};
}

}  // namespace

/// An instance at S0 of this migration; false where there is no room for it, or where it finds other rows
/// there than the main one did, so that nothing could be compared.
Result<bool> Course::stand_beside(const Passage& passage) {
  if (m_beside == nullptr || m_beside_at != passage.index) {
    m_beside.reset();
    if (!m_ground.has_room_beside()) {
      passage.record->skipped.push_back(
          {record::Stage::interrupted, "no room, or no second processor, for an instance beside"});
      return false;
    }
    auto instance = m_ground.at(passage.index);
    if (!instance) return failed(instance);
    m_beside = std::move(*instance);
    m_beside_at = passage.index;
    auto state = m_beside->read_state(&passage.before, everything());
    if (!state) return failed(state);
    m_beside_state = std::move(*state);
  }
  const bool same = engine::without(engine::compare(passage.before, m_beside_state), m_noise).empty();
  if (!same)
    passage.record->skipped.push_back(
        {record::Stage::interrupted, "another instance holds other rows before it"});
  return same;
}

Result<void> Course::interrupt(Passage& passage) {
  auto& record = *passage.record;
  if (m_options.depth == record::Depth::quick || m_options.keep == Keep::yes) return {};
  if (passage.migration->command) return stop_program(passage);
  const auto& forward = *record.forward;
  const std::size_t count = forward.statements.size();
  if (count == 0) return {};
  const bool inside = forward.shape == TransactionShape::one_transaction;
  std::vector<Stop> stops;
  for (const StopKind how : m_engine.stops()) {
    // In one transaction somebody else's lock meets its first statement, and no other; and nothing commits on
    // its way.
    if (how == StopKind::ended_inside && inside) continue;
    const bool once = how == StopKind::database_locked && inside;
    const std::size_t most = inside ? k_most_inside : k_most_between;
    // Before what ends the transaction too; where there is none, that is after everything.
    const std::size_t places = once ? 1 : how == StopKind::session_ended && inside ? count + 1 : count;
    for (const std::size_t before : spread(places, most)) {
      if (how != StopKind::ended_inside || !forward.statements[before].locks_observed)
        stops.push_back({how, before});
    }
  }
  for (const Stop& stop : stops) {
    const auto* statement = stop.before < count ? &forward.statements[stop.before] : nullptr;
    const auto going = stop_by(passage, stop, statement, &stop == &stops.back());
    if (!going) return failed(going);
    if (!*going) return {};
  }
  return {};
}

/// False where there is nothing to be compared with, now or from here on.
Result<bool> Course::stop_by(Passage& passage, const Stop& stop, const record::StatementRecord* before,
                             bool last) {
  auto& record = *passage.record;
  const auto standing = stand_beside(passage);
  if (!standing) return failed(standing);
  if (!*standing) return false;
  auto outcome =
      run_side(*m_beside, *passage.migration, Side::up, m_options.statement_timeout, Observe::yes, stop);
  if (!outcome) return failed(outcome);
  Interruption interruption;
  interruption.how = stop.how;
  if (before != nullptr) {
    interruption.before = before->text;
    interruption.location = before->location;
  }
  interruption.error = std::move(outcome->run.error);
  if (!outcome->stopped_at) {  // it came to no stop, and went through
    m_beside.reset();
    return true;
  }
  interruption.waited = outcome->run.duration - *outcome->stopped_at;
  auto state = m_beside->read_state(&m_beside_state, outcome->touched);
  if (!state) return failed(state);
  interruption.left = engine::without(engine::compare(m_beside_state, *state), m_noise);
  if (!interruption.left.empty() || !interruption.error)
    interruption.missing = engine::without(engine::compare(passage.after, *state), m_noise);
  // What left nothing is retried once, after the last stop. Where all was in, only what changes no state was
  // still to come.
  const bool all_in = !interruption.left.empty() && interruption.missing.empty();
  if (!interruption.error || all_in) {
    m_beside.reset();
  } else if (last || !interruption.left.empty()) {
    // The numbers that the attempt took from sequences are not given back.
    if (interruption.left.empty()) {
      if (const auto restored = m_beside->restore_sequences(m_beside_state); !restored)
        return failed(restored);
    }
    m_beside_state = std::move(*state);
    if (const auto retried = retry(passage, interruption); !retried) return failed(retried);
  }
  record.interruptions.push_back(std::move(interruption));
  return true;
}

Result<void> Course::retry(Passage& passage, Interruption& interruption) {
  auto outcome = run(*m_beside, *passage.migration, Side::up, Observe::yes);
  if (!outcome) return failed(outcome);
  interruption.retried = true;
  interruption.retry_error = std::move(outcome->run.error);
  interruption.retry_location = std::move(outcome->run.error_location);
  auto state = m_beside->read_state(&m_beside_state, outcome->touched);
  if (!state) return failed(state);
  if (!interruption.retry_error) {
    interruption.retry_difference = engine::without(engine::compare(passage.after, *state), m_noise);
    if (!interruption.retry_difference.empty()) {
      if (const auto learnt = learn_noise_of_up(passage); !learnt) return learnt;
      interruption.retry_difference = engine::without(std::move(interruption.retry_difference), m_noise);
    }
  }
  if (interruption.retry_error || !interruption.retry_difference.empty()) {
    m_beside.reset();
    return {};
  }
  m_beside_state = std::move(*state);
  m_beside_at = passage.index + 1;
  return {};
}

/// A program's statements are its own: it can only be kept waiting.
Result<void> Course::stop_program(Passage& passage) {
  const auto stops = m_engine.stops();
  if (std::find(stops.begin(), stops.end(), StopKind::database_locked) == stops.end()) {
    passage.record->skipped.push_back(
        {record::Stage::interrupted, "a program outside runs it, which is not stopped in its middle"});
    return {};
  }
  const auto standing = stand_beside(passage);
  if (!standing) return failed(standing);
  if (!*standing) return {};
  auto tool = passage.migration->command(*passage.migration, Side::up);
  if (!tool) return failed(tool);
  auto request = request_of(std::move(*tool), Side::up, passage.migration->up_path, Observe::yes);
  request.while_locked = true;
  request.must_connect = false;
  auto outcome = m_beside->run_tool(request);
  if (!outcome) return failed(outcome);
  Interruption interruption;
  interruption.how = StopKind::database_locked;
  interruption.error = std::move(outcome->run.error);
  interruption.waited = outcome->run.duration;
  auto state = m_beside->read_state(&m_beside_state, everything());
  if (!state) return failed(state);
  interruption.left = engine::without(engine::compare(m_beside_state, *state), m_noise);
  interruption.missing = engine::without(engine::compare(passage.after, *state), m_noise);
  m_beside_state = std::move(*state);
  if (const auto retried = retry(passage, interruption); !retried) return retried;
  passage.record->interruptions.push_back(std::move(interruption));
  return {};
}

}  // namespace lockkeeper::rehearsal
