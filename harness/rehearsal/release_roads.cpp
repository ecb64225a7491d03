#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "rehearsal/release.h"

/// Every road back from the state after the release and its first writes, and what the release's own runner
/// does when a migration fails in its middle.
namespace lockkeeper::rehearsal {

using engine::Instance;
using engine::Observe;
using engine::Stop;
using record::Road;
using record::RoadKind;
using record::Side;

namespace {

constexpr std::size_t k_most_failures = 8;
constexpr std::ptrdiff_t k_most_answers = 4;
constexpr std::string_view k_not_cut = "not cut: ";

/// An instance that cannot be read after a road is the road's doing.
record::SqlError unreadable(std::string message) {
  return {"", std::move(message), "", "", ""};
}

}  // namespace

std::string title_of(const scenario::ReleasePlan::Way& way) {
  switch (way.kind()) {
    case RoadKind::downs:
      return "the migrations' downs";
    case RoadKind::restore_over:
      return fmt::format("restore of {} over the migrated database", way.backup);
    case RoadKind::restore_fresh:
      return fmt::format("restore of {} into a new database", way.backup);
    case RoadKind::restore_open:
      break;
  }
  return fmt::format("restore of {} while the application has the file open", way.backup);
}

bool ReleaseCourse::is_named(const Way& way) const {
  // Where the runbook names none, a backup is there to be brought back into a new database.
  if (!m_plan.names_roads) return way.kind() == RoadKind::restore_fresh;
  return std::any_of(m_plan.roads.begin(), m_plan.roads.end(), [&](const Way& named) {
    return named.backup == way.backup && named.kind() == way.kind();
  });
}

Result<void> ReleaseCourse::go_back() {
  if (const auto tried = try_surgery(); !tried) return tried;
  if (const auto driven = drive_downs(); !driven) return driven;
  const bool file = m_history.dialect == sql::Dialect::sqlite;
  for (const auto& plan : m_plan.backups) {
    const auto& backups = m_release.backups;
    const bool made = std::any_of(backups.begin(), backups.end(), [&](const record::Backup& backup) {
      return backup.name == plan.name && !backup.sha256.empty();
    });
    if (!made) continue;
    std::vector<Way> ways = {{plan.name, true, false, {}}, {plan.name, false, false, {}}};
    if (file) ways.push_back({plan.name, true, true, {}});
    for (const Way& way : ways) {
      if (const auto driven = drive_restore(plan, way); !driven) return driven;
    }
  }
  return {};
}

/// Ways back that keep the rows: each write that stops a down, and each way out, tried by itself.
Result<void> ReleaseCourse::try_surgery() {
  for (std::size_t at = m_trial.judged.size(); at-- > 0;) {
    const auto& migration = m_history.migrations[m_trial.judged[at]];
    auto& record = m_run.migrations[at];
    if (migration.command || !migration.down_path || migration.dialect == sql::Dialect::sqlite) continue;
    engine::LaterRollback request;
    request.statement_timeout = m_options.statement_timeout;
    request.wishes = wishes_of(record.forward_change, m_states[at], m_states[at + 1]);
    const auto down = migration.down();
    if (!down) return failed(down);
    if (request.wishes.empty() || down->empty()) continue;
    request.down = &*down;
    const auto done = step("surgical rollback of " + migration.version, [&](Step& step) -> Result<void> {
      auto instance = m_ground.at(m_trial.judged[at] + 1);
      if (!instance) return failed(instance);
      auto writes = (*instance)->roll_back_later(request);
      if (!writes && by_interrupt(writes.error())) return failed(writes);
      if (!writes || !*writes) {
        step.evidence.push_back(writes ? "its down cannot run in a transaction of ours"
                                       : writes.error().message);
        return {};
      }
      const bool stopped = std::any_of((*writes)->begin(), (*writes)->end(), [](const record::Write& write) {
        return write.stops_down.has_value();
      });
      if (stopped) {
        // Is it the writes that stop it, or does it never run?
        auto plain = m_ground.at(m_trial.judged[at] + 1);
        if (!plain) return failed(plain);
        auto outcome = run(**plain, m_trial.judged[at], Side::down, Observe::no);
        if (!outcome) return failed(outcome);
        record.back = std::move(outcome->run);
        if (record.back->error) {
          step.ok = false;
          step.evidence.push_back("its down fails by itself: " + record.back->error->message);
          return {};
        }
      }
      record.writes = std::move(**writes);
      for (const auto& write : record.writes) {
        if (!write.stops_down) continue;
        step.evidence.push_back(
            fmt::format("{} with {} stops it: {}", write.table, write.what, write.stops_down->message));
        for (const auto& rescue : write.rescues)
          step.evidence.push_back(fmt::format(
              "{}: {}", rescue.what, rescue.error ? "fails: " + rescue.error->message : "down runs"));
        step.evidence.emplace_back("keep the rows, and stay at the new version: nothing is lost");
      }
      return {};
    });
    if (!done) return done;
  }
  return {};
}

Result<void> ReleaseCourse::drive_downs() {
  const Way way;
  const bool any = std::any_of(m_trial.judged.begin(), m_trial.judged.end(), [&](std::size_t index) {
    return m_history.migrations[index].down_path.has_value();
  });
  if (!any && !is_named(way)) return {};
  return step("road: " + title_of(way), [&](Step& step) -> Result<void> {
    Road& road = m_release.roads.emplace_back();
    road.kind = RoadKind::downs;
    road.name = title_of(way);
    road.named = is_named(way);
    auto instance = m_ground.from(*m_used_image);
    if (!instance) return failed(instance);
    for (std::size_t at = m_trial.judged.size(); at-- > 0 && road.stopped_at.empty();) {
      const std::size_t index = m_trial.judged[at];
      const auto& migration = m_history.migrations[index];
      if (!migration.down_path) {
        road.stopped_at = migration.version;
        road.error = record::SqlError{"", "it has no down", "", "", ""};
        road.location = Location{migration.up_path, 1, 1};
        break;
      }
      const auto outcome = run(**instance, index, Side::down, Observe::no);
      if (!outcome) return failed(outcome);
      road.duration += outcome->run.duration;
      if (!outcome->run.error) continue;
      road.stopped_at = migration.version;
      road.error = outcome->run.error;
      road.location = outcome->run.error_location;
    }
    if (const auto looked = look_at_end(road, **instance); !looked) return looked;
    if (!road.error) {
      if (const auto looked = look_for_lost_rows(road, **instance); !looked) return looked;
    }
    // Another order of columns is a finding of its own, which most people can live with.
    if (only_column_order(road.difference)) road.difference = {};
    step.ok = road.leads_back();
    if (road.error)
      step.evidence.push_back(fmt::format("down of {}: {}", road.stopped_at, road.error->message));
    return {};
  });
}

std::vector<record::LostRows> ReleaseCourse::lost_rows(const engine::State& now) const {
  const auto rows_in = [](const engine::State& state, const std::string& table) -> std::int64_t {
    for (const auto& one : state.tables) {
      if (one.table == table) return one.rows;
    }
    return 0;
  };
  std::vector<record::LostRows> lost;
  for (const auto& written : m_release.written) {
    const std::int64_t missing = rows_in(m_used, written.table) - rows_in(now, written.table);
    if (missing > 0) lost.push_back({written.table, written.rows, std::min(missing, written.rows)});
  }
  return lost;
}

/// What a backup brings back by its nature is no difference: it is made anew, materialized views are filled
/// from what they are of, and SQLite's journal mode is set by whoever opens the file. What hangs on the
/// database itself is in no dump without --create, and told apart.
record::StateDifference ReleaseCourse::away_from_backup(const engine::State& now,
                                                        std::vector<std::string>* left_out) const {
  record::StateDifference difference = engine::compare_apart(m_before, now);
  std::erase_if(difference.objects, [&](record::ObjectDifference& object) {
    if (m_history.dialect == sql::Dialect::sqlite) {
      if (object.kind != "database") return false;
      std::erase_if(object.attributes,
                    [](const auto& attribute) { return attribute.name == "journal_mode"; });
      return object.change == record::Change::altered && object.attributes.empty();
    }
    if (object.kind != "setting" && object.kind != "database") return false;
    std::string what = object.definition;
    for (const auto& attribute : object.attributes)
      what += fmt::format("{}{} {}", what.empty() ? "" : ", ", attribute.name, attribute.before);
    if (left_out != nullptr)
      left_out->push_back(fmt::format("{} {}: {}", object.kind, object.identity, what));
    return true;
  });
  std::set<std::string> refreshed;
  for (const auto& object : m_before.objects) {
    if (object.kind == "materialized view") refreshed.insert(object.identity);
  }
  std::erase_if(difference.data, [&](const auto& data) { return refreshed.contains(data.table); });
  return difference;
}

/// Behind downs the rows written since are still there, and hide whether those that were there before are:
/// counted by key, or where there is none by number.
Result<void> ReleaseCourse::look_for_lost_rows(Road& road, Instance& instance) {
  std::set<std::string> touched;
  for (const auto& data : engine::compare(m_after, m_used).data) touched.insert(data.table);
  std::vector<record::DataDifference> hidden;
  std::erase_if(road.difference.data, [&](const record::DataDifference& data) {
    if (!touched.contains(data.table)) return false;
    if (std::none_of(hidden.begin(), hidden.end(),
                     [&](const auto& other) { return other.table == data.table; }))
      hidden.push_back(data);
    return true;
  });
  if (hidden.empty()) return {};
  auto base = m_ground.base();
  if (!base) return failed(base);
  auto used = m_ground.from(*m_used_image);
  if (!used) return failed(used);
  for (record::DataDifference& data : hidden) {
    auto counted = instance.compare_rows(**base, data.table);
    if (!counted) return failed(counted);
    if (!*counted) {
      if (data.rows_after < data.rows_before) road.difference.data.push_back(std::move(data));
      continue;
    }
    // What the writes themselves have deleted or changed is not the downs' doing.
    const auto written = (*used)->compare_rows(**base, data.table);
    const auto by_writes = [&](auto member) -> std::int64_t {
      return written && *written ? (**written.*member).value_or(0) : 0;
    };
    record::DataDifference& now = **counted;
    const std::int64_t lost = now.rows_lost.value_or(0) - by_writes(&record::DataDifference::rows_lost);
    if (lost <= 0) continue;
    now.rows_lost = lost;
    now.change = record::DataChange::table_rows;
    now.table = data.table;
    now.rows_before = data.rows_before;
    now.rows_after = data.rows_after;
    road.difference.data.push_back(std::move(now));
  }
  return {};
}

Result<void> ReleaseCourse::look_at_end(Road& road, Instance& instance) {
  const auto now = read(instance);
  if (!now) {
    if (by_interrupt(now.error())) return failed(now);
    if (!road.error) road.error = unreadable(told(now.error().message));
    return {};
  }
  road.difference = away_from_backup(*now);
  road.lost = lost_rows(*now);
  return {};
}

Result<void> ReleaseCourse::drive_restore(const scenario::ReleasePlan::Backup& plan, const Way& way) {
  return step("road: " + title_of(way), [&](Step& step) -> Result<void> {
    Road& road = m_release.roads.emplace_back();
    road.kind = way.kind();
    road.name = title_of(way);
    road.backup = way.backup;
    road.named = is_named(way);
    auto instance = m_ground.from(*m_used_image);
    if (!instance) return failed(instance);
    engine::RestoreRequest request;
    request.backup = request_of(plan);
    request.fresh = !way.over;
    request.while_open = way.open;
    const auto begun = Clock::now();
    auto done = (*instance)->bring_back(request);
    road.duration = std::chrono::duration_cast<record::Microseconds>(Clock::now() - begun);
    if (!done) {
      if (by_interrupt(done.error())) return failed(done);
      road.error = unreadable(told(done.error().message));
      step.ok = false;
      step.evidence.push_back(road.error->message);
      return {};
    }
    road.runs.push_back(told(std::move(*done)));
    if (const auto looked = look_at_end(road, **instance); !looked) return looked;
    const auto& tool = road.runs.front();
    step.ok = road.leads_back();
    step.evidence.push_back(fmt::format("{}: {} in {}", tool.command, tool.status, human(road.duration)));
    for (const auto& said : tool.said) step.evidence.push_back(said);
    const bool first_of_kind =
        std::none_of(m_release.roads.begin(), m_release.roads.end(), [&](const Road& other) {
          return &other != &road && other.kind == road.kind && !other.broken_by.empty();
        });
    const bool server = m_history.dialect != sql::Dialect::sqlite;
    if (server && step.ok && first_of_kind) return break_off(road, request);
    return {};
  });
}

/// The connection is lost half-way; then the same road is taken once more from there.
Result<void> ReleaseCourse::break_off(Road& road, const engine::RestoreRequest& request) {
  auto instance = m_ground.from(*m_used_image);
  if (!instance) return failed(instance);
  for (const int part : {2, 4}) {
    engine::RestoreRequest cut = request;
    cut.cut_after = std::max<std::chrono::microseconds>(road.runs.front().duration / part,
                                                        std::chrono::microseconds(1000));
    const auto done = (*instance)->bring_back(cut);
    if (!done) return failed(done);
    if (done->status.starts_with(k_not_cut)) continue;
    const bool told_so = !done->clean();
    const auto left = read(**instance);
    if (!left) return failed(left);
    // One whose work was all done has nothing to tell.
    if (!told_so && away_from_backup(*left).empty()) continue;
    road.broken_by = "its connection was ended half-way";
    road.noticed = told_so;
    auto again = (*instance)->bring_back(request);
    if (!again) return failed(again);
    road.again = told(std::move(*again));
    const auto state = read(**instance);
    if (!state) return failed(state);
    road.again_difference = away_from_backup(*state);
    return {};
  }
  return {};
}

/// Of a program as many places as a course stops it at; of SQL before some of its statements.
Result<void> ReleaseCourse::fail_everywhere() {
  struct Place {
    std::size_t at;
    Stop stop;
    const record::StatementRecord* before;
  };
  std::vector<Place> places;
  for (std::size_t at = 0; at < m_run.migrations.size(); ++at) {
    const auto& forward = m_run.migrations[at].forward;
    if (!forward) continue;
    const auto& migration = m_history.migrations[m_trial.judged[at]];
    const bool program = migration.command != nullptr;
    const bool file = m_history.dialect == sql::Dialect::sqlite;
    const bool inside = forward->shape == record::TransactionShape::one_transaction;
    const bool alone = forward->shape == record::TransactionShape::autocommit;
    const std::size_t count = forward->statements.size();
    if (file) places.push_back({at, {record::StopKind::database_locked, 0, alone}, nullptr});
    if (program && file) continue;
    const auto stops = program ? places_of(*forward, record::Depth::standard)
                               : spread(inside ? count + 1 : count, k_most_failures);
    for (const std::size_t before : stops) {
      const Stop stop{record::StopKind::session_ended, before, alone};
      places.push_back({at, stop, before < count ? &forward->statements[before] : nullptr});
    }
  }
  if (places.empty()) return {};
  return step("failures", [&](Step& step) -> Result<void> {
    for (const std::size_t chosen : spread(places.size(), k_most_failures)) {
      const Place& place = places[chosen];
      if (const auto tried = fail_at(place.at, place.stop, place.before); !tried) return tried;
    }
    for (const auto& failure : m_release.failures) {
      const bool back = failure.answer.empty() ? failure.left.empty() : failure.after.empty();
      if (!back || failure.answer_error) step.ok = false;
    }
    step.evidence.push_back(fmt::format(
        "stopped at {}{}", counted(static_cast<std::int64_t>(m_release.failures.size()), "place"),
        m_plan.on_failure ? ", answered by " + title_of(*m_plan.on_failure) : ", no answer is named"));
    return {};
  });
}

Result<void> ReleaseCourse::fail_at(std::size_t at, const Stop& stop, const record::StatementRecord* before) {
  const std::size_t index = m_trial.judged[at];
  const auto& migration = m_history.migrations[index];
  auto instance = m_ground.at(index);
  if (!instance) return failed(instance);
  const auto before_it = read(**instance);
  if (!before_it) return failed(before_it);
  // What two runs of the migrations before do differently.
  const auto noise = engine::compare(m_states[at], *before_it);
  Result<engine::SideOutcome> outcome = failed(FailureKind::environment, "not run");
  if (migration.command) {
    auto tool = migration.command(migration, Side::up);
    if (!tool) return failed(tool);
    auto request = rehearsal::request_of(std::move(*tool), Side::up, migration.up_path, Observe::yes);
    request.while_locked = stop.how == record::StopKind::database_locked;
    if (!request.while_locked) request.stop = stop;
    request.must_connect = false;
    outcome = (*instance)->run_tool(request);
  } else {
    outcome = run_side(**instance, migration, Side::up, m_options.statement_timeout, Observe::yes, stop);
  }
  if (!outcome) return failed(outcome);
  if (!outcome->stopped_at) return {};
  record::FailedRelease failure;
  failure.migration = migration.version;
  failure.how = stop.how;
  if (before != nullptr) {
    failure.before = before->text;
    failure.location = before->location;
  }
  failure.error = std::move(outcome->run.error);
  const auto left = read(**instance);
  if (!left) return failed(left);
  failure.left = engine::compare(*before_it, *left);
  // Of one that fails by itself nobody knows the state behind it.
  const bool all_in = !failure.left.empty() && at + 1 < m_states.size() &&
                      engine::without(engine::compare(m_states[at + 1], *left), noise).empty();
  if (all_in) failure.left = {};
  if (const auto answered = answer(failure, **instance, all_in ? at + 1 : at); !answered) return answered;
  m_release.failures.push_back(std::move(failure));
  return {};
}

/// `applied`: judged migrations that are in.
Result<void> ReleaseCourse::answer(record::FailedRelease& failure, Instance& instance, std::size_t applied) {
  if (!m_plan.on_failure) return {};
  // Each costs as much as a restore: the first of a migration, and what leaves something, tell the most.
  const auto answered = std::count_if(m_release.failures.begin(), m_release.failures.end(),
                                      [](const auto& other) { return !other.answer.empty(); });
  const bool known = !m_release.failures.empty() && m_release.failures.back().migration == failure.migration;
  if (answered >= k_most_answers || (known && failure.left.empty())) return {};
  const Way& way = *m_plan.on_failure;
  failure.answer = title_of(way);
  if (way.backup.empty()) {
    for (std::size_t at = applied; at-- > 0 && !failure.answer_error;) {
      const auto outcome = run(instance, m_trial.judged[at], Side::down, Observe::no);
      if (!outcome) return failed(outcome);
      failure.answer_error = outcome->run.error;
    }
  } else {
    engine::RestoreRequest request;
    request.backup = request_of(*planned(way.backup));
    request.fresh = !way.over;
    auto done = instance.bring_back(request);
    if (!done && by_interrupt(done.error())) return failed(done);
    if (!done) {
      failure.answer_error = unreadable(told(done.error().message));
      return {};
    }
    failure.runs.push_back(told(std::move(*done)));
  }
  const auto state = read(instance);
  if (!state) return failed(state);
  failure.after = away_from_backup(*state);
  if (way.backup.empty() && only_column_order(failure.after)) failure.after = {};
  return {};
}

}  // namespace lockkeeper::rehearsal
