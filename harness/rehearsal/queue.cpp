#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "rehearsal/course.h"

/// The queue: up starts while a transaction that has read one of its tables is still open, as a report or a
/// forgotten session would be. A strong lock that waits keeps everybody out who comes after it.
namespace lockkeeper::rehearsal {

using engine::Observe;
using record::Side;

namespace {

/// Twice what others may have to wait: enough to tell.
constexpr int k_times_the_limit = 2;
constexpr std::size_t k_most_in_turn = 8;

std::vector<std::string> tables_locked(const record::SideRun& run) {
  std::set<std::string> tables;
  for (const record::StatementRecord& statement : run.statements) {
    for (const record::LockTaken& lock : statement.locks) {
      if (lock.kind == "table" && lock.mode == "AccessExclusiveLock") tables.insert(lock.relation);
    }
  }
  return {tables.begin(), tables.end()};
}

}  // namespace

Result<void> Course::queue(Passage& passage) {
  auto& record = *passage.record;
  if (m_options.depth != record::Depth::full) return {};
  const auto skip = [&](const std::string& reason) {
    record.skipped.push_back({record::Stage::queue, reason});
  };
  const auto tables = tables_locked(*record.forward);
  if (tables.empty()) return {};
  for (std::size_t at = 0; at < tables.size(); ++at) {
    if (at == k_most_in_turn) {
      skip(fmt::format("tried on {} of {} tables", k_most_in_turn, tables.size()));
      return {};
    }
    const auto done = queue_on(passage, tables[at]);
    if (!done) return failed(done);
    if (!*done) return {};
  }
  return {};
}

/// False where it cannot be done.
Result<bool> Course::queue_on(Passage& passage, const std::string& table) {
  auto& record = *passage.record;
  const auto instance = m_ground.at(passage.index);
  if (!instance) return failed(instance);
  const auto before = (*instance)->read_state(&passage.before, everything());
  if (!before) return failed(before);
  auto waited = (*instance)->queue_behind_reader(table, k_times_the_limit * m_scenario.longest_wait, [&] {
    return run(**instance, *passage.migration, Side::up, Observe::yes);
  });
  if (!waited && waited.error().kind == FailureKind::interrupted) return failed(waited);
  if (!waited || !*waited) {
    record.skipped.push_back(
        {record::Stage::queue, waited ? "not done on this engine" : waited.error().message});
    return false;
  }
  auto& queue = record.queues.emplace_back(std::move(**waited));
  if (!queue.error) return true;
  const auto after = (*instance)->read_state(&*before, everything());
  if (!after) return failed(after);
  queue.left = engine::without(engine::compare(*before, *after), m_noise);
  auto again = run(**instance, *passage.migration, Side::up, Observe::yes);
  if (!again) return failed(again);
  queue.retry_error = std::move(again->run.error);
  return true;
}

}  // namespace lockkeeper::rehearsal
