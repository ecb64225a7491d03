#include <algorithm>
#include <set>

#include "rehearsal/course.h"

/// The queue: up starts while a transaction that has read its tables is still open, as a report or a
/// forgotten session would be. A strong lock that waits keeps everybody out who comes after it.
namespace lockkeeper::rehearsal {

using engine::Observe;
using record::Side;

namespace {

/// Twice what others may have to wait: enough to tell.
constexpr int k_times_the_limit = 2;

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
  if (m_options.depth != record::Depth::full || m_options.keep == Keep::yes) return {};
  const auto skip = [&](const std::string& reason) {
    record.skipped.push_back({record::Stage::queue, reason});
  };
  const auto tables = tables_locked(*record.forward);
  if (tables.empty()) return {};
  const auto instance = m_ground.at(passage.index);
  if (!instance) return failed(instance);
  const auto before = (*instance)->read_state(&passage.before, everything());
  if (!before) return failed(before);
  auto waited = (*instance)->queue_behind_reader(tables, k_times_the_limit * m_scenario.longest_wait, [&] {
    return run(**instance, *passage.migration, Side::up, Observe::yes);
  });
  if (!waited && waited.error().kind == FailureKind::interrupted) return failed(waited);
  if (!waited || !*waited) {
    skip(waited ? "not done on this engine" : waited.error().message);
    return {};
  }
  auto& queue = record.queue.emplace(std::move(**waited));
  if (!queue.error) return {};
  const auto after = (*instance)->read_state(&*before, everything());
  if (!after) return failed(after);
  queue.left = engine::without(engine::compare(*before, *after), m_noise);
  auto again = run(**instance, *passage.migration, Side::up, Observe::yes);
  if (!again) return failed(again);
  queue.retry_error = std::move(again->run.error);
  return {};
}

}  // namespace lockkeeper::rehearsal
