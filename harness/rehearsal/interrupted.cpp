#include <algorithm>
#include <set>

#include "rehearsal/course.h"

/// Stage 5, interrupted: a side is stopped in its middle and run again, beside the instance that goes on.
/// What a stop leaves must be the state before or the one after it, and the retry must end in the latter.
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
/// Runs of programs that an instance beside is worth.
constexpr std::size_t k_most_programs = 4;

}  // namespace

std::vector<std::size_t> spread(std::size_t count, std::size_t most) {
  std::set<std::size_t> chosen;
  const std::size_t wanted = std::min(count, most);
  for (std::size_t i = 0; i < wanted; ++i) chosen.insert(wanted == 1 ? 0 : i * (count - 1) / (wanted - 1));
  return {chosen.begin(), chosen.end()};
}

/// An instance where the attempt begins; false where there is no room for it, or where it finds other rows
/// there than the main one did, so that nothing could be compared.
Result<bool> Course::stand_beside(const Passage& passage, const Attempt& attempt) {
  if (m_beside == nullptr || m_beside_at != attempt.from) {
    m_beside.reset();
    if (!m_ground.has_room_beside()) {
      passage.record->skipped.push_back(
          {record::Stage::interrupted, "no room, or no second processor, for an instance beside"});
      return false;
    }
    auto instance = m_ground.at(attempt.from);
    if (!instance) return failed(instance);
    m_beside = std::move(*instance);
    m_beside_at = attempt.from;
    auto state = m_beside->read_state(attempt.before, everything());
    if (!state) return failed(state);
    m_beside_state = std::move(*state);
  }
  const bool same = engine::without(engine::compare(*attempt.before, m_beside_state), m_noise).empty();
  if (!same)
    passage.record->skipped.push_back(
        {record::Stage::interrupted, "another instance holds other rows before it"});
  return same;
}

Course::Attempt Course::going_up(const Passage& passage) {
  return {Side::up,        passage.index,  passage.index + 1,
          &passage.before, &passage.after, &*passage.record->forward};
}

Result<void> Course::interrupt(Passage& passage) {
  if (m_options.depth == record::Depth::quick) return {};
  if (passage.migration->command) return stop_program(passage, going_up(passage));
  return stop_everywhere(passage, going_up(passage));
}

/// A way back in one transaction leaves nothing half-done, and a program takes its time: seen only where all
/// is.
Result<void> Course::interrupt_back(Passage& passage) {
  const auto& record = *passage.record;
  if (m_options.depth == record::Depth::quick) return {};
  if (!passage.back_ran || record.down_did_nothing) return {};
  const bool program = passage.migration->command != nullptr;
  const bool looked_into_in_full = program || record.back->shape == TransactionShape::one_transaction;
  if (m_options.depth != record::Depth::full && looked_into_in_full) return {};
  const Attempt down{Side::down,     passage.index + 1, passage.index,
                     &passage.after, &passage.back,     &*record.back};
  const auto stopped = program ? stop_program(passage, down) : stop_everywhere(passage, down);
  // Where it went back it stands at S2, which is not always S0.
  if (m_beside_at == passage.index) m_beside.reset();
  return stopped;
}

namespace {

/// Where a side is stopped in which ways.
std::vector<Stop> stops_of(const record::SideRun& run, const std::vector<StopKind>& ways,
                           record::Depth depth) {
  const std::size_t count = run.statements.size();
  const bool inside = run.shape == TransactionShape::one_transaction;
  const bool alone = run.shape == TransactionShape::autocommit;
  const auto outside = [&](std::size_t at) { return !run.statements[at].locks_observed; };
  std::vector<Stop> stops;
  for (const StopKind how : ways) {
    const bool waits =
        how == StopKind::ended_inside || how == StopKind::lock_timeout || how == StopKind::statement_timeout;
    const bool thorough =
        how == StopKind::lock_timeout || how == StopKind::statement_timeout || how == StopKind::server_killed;
    if (thorough && depth != record::Depth::full) continue;
    // In one transaction somebody else's lock meets its first statement, and no other; and nothing commits on
    // its way.
    if (waits && inside) continue;
    if (how == StopKind::server_killed) {
      // Once: where most is in and not all.
      std::size_t at = inside ? count : count / 2;
      for (std::size_t last = count; !inside && last > 0; --last) {
        if (!outside(last - 1)) continue;
        at = last - 1;
        break;
      }
      stops.push_back({how, at, alone});
      continue;
    }
    const bool once = how == StopKind::database_locked && inside;
    const std::size_t most = inside ? k_most_inside : k_most_between;
    // Before what ends the transaction too; where there is none, that is after everything.
    const std::size_t places = once ? 1 : how == StopKind::session_ended && inside ? count + 1 : count;
    for (const std::size_t before : spread(places, most)) {
      if (!waits || outside(before)) stops.push_back({how, before, alone});
    }
  }
  return stops;
}

/// A crash empties unlogged tables, whatever ran.
void leave_out_unlogged(const engine::State& state, record::StateDifference& difference) {
  std::set<std::string> unlogged;
  for (const engine::Object& object : state.objects) {
    if (object.kind == "table" && object.attributes.find("\"persistence\":\"unlogged\"") != std::string::npos)
      unlogged.insert(object.identity);
  }
  std::erase_if(difference.data, [&](const auto& data) { return unlogged.contains(data.table); });
}

}  // namespace

Result<void> Course::stop_everywhere(Passage& passage, const Attempt& attempt) {
  const auto& statements = attempt.seen->statements;
  if (statements.empty()) return {};
  const std::vector<Stop> stops = stops_of(*attempt.seen, m_engine.stops(), m_options.depth);
  for (const Stop& stop : stops) {
    const auto* before = stop.before < statements.size() ? &statements[stop.before] : nullptr;
    const auto going = stop_by(passage, attempt, stop, before, &stop == &stops.back());
    if (!going) return failed(going);
    if (!*going || m_kept) return {};
  }
  return {};
}

/// False where there is nothing to be compared with, now or from here on.
Result<bool> Course::stop_by(Passage& passage, const Attempt& attempt, const Stop& stop,
                             const record::StatementRecord* before, bool last) {
  auto& record = *passage.record;
  const auto standing = stand_beside(passage, attempt);
  if (!standing) return failed(standing);
  if (!*standing) return false;
  auto outcome =
      run_side(*m_beside, *passage.migration, attempt.side, m_options.statement_timeout, Observe::yes, stop);
  if (!outcome) return failed(outcome);
  Interruption interruption;
  interruption.side = attempt.side;
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
  const bool crashed = stop.how == StopKind::server_killed;
  auto state = m_beside->read_state(&m_beside_state, crashed ? everything() : outcome->touched);
  if (!state) return failed(state);
  interruption.left = engine::without(engine::compare(m_beside_state, *state), m_noise);
  if (crashed) leave_out_unlogged(m_beside_state, interruption.left);
  if (!interruption.left.empty() || !interruption.error)
    interruption.missing = engine::without(engine::compare(*attempt.after, *state), m_noise);
  // What left nothing is retried once, after the last stop. Where all was in, only what changes no state was
  // still to come. A crash skips numbers of sequences, so that rows of a retry behind it may have others.
  const bool all_in = !interruption.left.empty() && interruption.missing.empty();
  const bool numbers_differ = crashed && !engine::compare_sequences(m_beside_state, *state).empty();
  if (!interruption.error || all_in || (numbers_differ && !interruption.left.empty())) {
    m_beside.reset();
  } else if (last || !interruption.left.empty()) {
    // The numbers that the attempt took from sequences are not given back.
    if (interruption.left.empty()) {
      if (const auto restored = m_beside->restore_sequences(m_beside_state); !restored)
        return failed(restored);
    }
    m_beside_state = std::move(*state);
    if (const auto retried = retry(passage, attempt, interruption); !retried) return failed(retried);
  } else if (crashed) {
    m_beside.reset();  // what was unlogged is gone
  }
  record.interruptions.push_back(std::move(interruption));
  return true;
}

Result<void> Course::retry(Passage& passage, const Attempt& attempt, Interruption& interruption) {
  auto outcome = run(*m_beside, *passage.migration, attempt.side, Observe::yes);
  if (!outcome) return failed(outcome);
  interruption.retried = true;
  interruption.retry_error = std::move(outcome->run.error);
  interruption.retry_location = std::move(outcome->run.error_location);
  auto state = m_beside->read_state(&m_beside_state, outcome->touched);
  if (!state) return failed(state);
  // Where all was in, a program that counts what is to come has gone on to the next one.
  const bool all_in = !interruption.left.empty() && interruption.missing.empty();
  if (!interruption.retry_error && !all_in) {
    auto& difference = interruption.retry_difference;
    difference = engine::without(engine::compare(*attempt.after, *state), m_noise);
    if (interruption.how == StopKind::server_killed) leave_out_unlogged(*attempt.after, difference);
    if (!difference.empty()) {
      const auto learnt =
          attempt.side == Side::up ? learn_noise_of_up(passage) : learn_noise_of_down(passage);
      if (!learnt) return learnt;
      difference = engine::without(std::move(difference), m_noise);
    }
  }
  const bool damaged = interruption.retry_error || !interruption.retry_difference.empty();
  if (damaged && m_options.keep == Keep::yes) {
    if (const auto kept = keep(*m_beside); !kept) return kept;
  }
  const bool elsewhere = all_in && !engine::without(engine::compare(*attempt.after, *state), m_noise).empty();
  if (damaged || elsewhere || interruption.how == StopKind::server_killed) {
    m_beside.reset();
    return {};
  }
  m_beside_state = std::move(*state);
  m_beside_at = attempt.to;
  return {};
}

/// Runs down once more from a clean S1.
Result<void> Course::learn_noise_of_down(Passage& passage) {
  const auto clean = m_ground.at(passage.index + 1);
  if (!clean) return failed(clean);
  const auto down = run(**clean, *passage.migration, Side::down, Observe::no);
  if (!down) return failed(down);
  const auto back = (*clean)->read_state(&passage.back, everything());
  if (!back) return failed(back);
  add(m_noise, engine::compare(passage.back, *back));
  return {};
}

/// Is a program to be started many times before an instance stands there?
bool Course::is_dear(std::size_t index) const {
  return m_history.steps_between(m_trial.first, index).size() > k_most_programs;
}

std::vector<std::size_t> places_of(const record::SideRun& run, record::Depth depth) {
  std::vector<std::size_t> writing;
  for (std::size_t at = 0; at < run.statements.size(); ++at) {
    if (run.statements[at].wal_bytes > 0) writing.push_back(at);
  }
  if (writing.empty()) return {};
  std::set<std::size_t> places;
  if (depth == record::Depth::full) places = {writing[writing.size() / 2], writing.back() + 1};
  places.insert(writing.back());
  places.erase(0);
  return {places.begin(), places.end()};
}

/// A program's statements are its own. On a server its sessions, or the server, are ended between two of
/// them; on a file another connection keeps it waiting.
Result<void> Course::stop_program(Passage& passage, const Attempt& attempt) {
  const auto ways = m_engine.stops();
  const auto has = [&](StopKind how) { return std::find(ways.begin(), ways.end(), how) != ways.end(); };
  std::vector<Stop> stops;
  if (has(StopKind::database_locked)) {
    if (attempt.side == Side::up) stops.push_back({StopKind::database_locked, 0});
  } else {
    const auto places = places_of(*attempt.seen, m_options.depth);
    for (const std::size_t place : places) stops.push_back({StopKind::session_ended, place});
    if (!places.empty() && m_options.depth == record::Depth::full && has(StopKind::server_killed))
      stops.push_back({StopKind::server_killed, places.front()});
  }
  for (const Stop& stop : stops) {
    const auto going = stop_program_by(passage, attempt, stop);
    if (!going) return failed(going);
    if (!*going || m_kept) return {};
  }
  return {};
}

/// False where there is nothing to be compared with. It is run again whatever it left: what it keeps in its
/// own books is no part of a state.
Result<bool> Course::stop_program_by(Passage& passage, const Attempt& attempt, const Stop& stop) {
  const auto& statements = attempt.seen->statements;
  if ((m_beside == nullptr || m_beside_at != attempt.from) && is_dear(attempt.from)) {
    passage.record->skipped.push_back(
        {record::Stage::interrupted, "its program would have to bring in all before it once more"});
    return false;
  }
  const auto standing = stand_beside(passage, attempt);
  if (!standing) return failed(standing);
  if (!*standing) return false;
  const bool up = attempt.side == Side::up;
  auto tool = passage.migration->command(*passage.migration, attempt.side);
  if (!tool) return failed(tool);
  auto request =
      request_of(std::move(*tool), attempt.side,
                 up ? passage.migration->up_path : passage.migration->down_path.value_or(""), Observe::yes);
  request.while_locked = stop.how == StopKind::database_locked;
  if (!request.while_locked) request.stop = stop;
  request.must_connect = false;
  auto outcome = m_beside->run_tool(request);
  if (!outcome) return failed(outcome);
  if (request.stop && !outcome->stopped_at) {
    m_beside.reset();
    return true;
  }
  Interruption interruption;
  interruption.side = attempt.side;
  interruption.how = stop.how;
  if (!request.while_locked && stop.before < statements.size()) {
    interruption.before = statements[stop.before].text;
    interruption.location = statements[stop.before].location;
  }
  interruption.error = std::move(outcome->run.error);
  const record::Microseconds none{0};
  interruption.waited = std::max(none, outcome->run.duration - outcome->stopped_at.value_or(none));
  const bool crashed = stop.how == StopKind::server_killed;
  auto state = m_beside->read_state(&m_beside_state, everything());
  if (!state) return failed(state);
  interruption.left = engine::without(engine::compare(m_beside_state, *state), m_noise);
  if (crashed) leave_out_unlogged(m_beside_state, interruption.left);
  interruption.missing = engine::without(engine::compare(*attempt.after, *state), m_noise);
  // The numbers that the attempt took from sequences, or that a crash has skipped, are not given back.
  if (interruption.left.empty()) {
    if (const auto restored = m_beside->restore_sequences(m_beside_state); !restored) return failed(restored);
  }
  const bool numbers_differ = crashed && !engine::compare_sequences(m_beside_state, *state).empty();
  m_beside_state = std::move(*state);
  if (numbers_differ && !interruption.left.empty()) {
    m_beside.reset();
  } else if (const auto retried = retry(passage, attempt, interruption); !retried) {
    return failed(retried);
  }
  passage.record->interruptions.push_back(std::move(interruption));
  return true;
}

}  // namespace lockkeeper::rehearsal
