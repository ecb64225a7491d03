#include "rehearsal/course.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/interrupt.h"
#include "base/text.h"

namespace lockkeeper::rehearsal {

using engine::Observe;
using record::MigrationRecord;
using record::Side;
using record::SideRun;
using record::Stage;

void add(record::StateDifference& to, const record::StateDifference& noise) {
  to.objects.insert(to.objects.end(), noise.objects.begin(), noise.objects.end());
  to.data.insert(to.data.end(), noise.data.begin(), noise.data.end());
}

bool only_column_order(const record::StateDifference& difference) {
  const auto moved = [](const record::ObjectDifference& object) {
    return object.change == record::Change::altered &&
           std::all_of(object.attributes.begin(), object.attributes.end(),
                       [](const record::AttributeChange& attribute) { return attribute.name == "position"; });
  };
  return difference.data.empty() && std::all_of(difference.objects.begin(), difference.objects.end(), moved);
}

engine::Touched everything() {
  engine::Touched touched;
  touched.everything = true;
  return touched;
}

bool by_interrupt(const Failure& failure) {
  return failure.kind == FailureKind::interrupted || interrupted();
}

engine::Touched united(engine::Touched touched, const engine::Touched& more) {
  touched.everything = touched.everything || more.everything;
  touched.tables.insert(more.tables.begin(), more.tables.end());
  return touched;
}

Course::Course(engine::Engine& engine, const scenario::Scenario& scenario, const history::History& history,
               const history::Trial& trial, const Options& options, record::Run& run)
    : m_engine(engine),
      m_scenario(scenario),
      m_history(history),
      m_trial(trial),
      m_options(options),
      m_run(run),
      m_ground(engine, scenario, history, trial, options) {}

Result<void> Course::drive() {
  auto driven = drive_stages();
  for (const auto& [table, reason] : m_ground.refusals())
    m_run.remarks.push_back(fmt::format("no row could be made in {}: {}", table, reason));
  if (const auto failure = m_ground.settle()) {
    m_run.remarks.push_back(
        fmt::format("the snapshot cannot be kept, the next run makes it again: {}", failure->message));
  }
  return driven;
}

Result<void> Course::drive_stages() {
  if (const auto sound = check_scripts(); !sound) return sound;
  if (const auto begun = begin(); !begun) return begun;
  start_chain_beside();
  if (const auto walked = walk(); !walked) return walked;
  if (m_kept) return {};
  if (const auto observed = observe_head(); !observed) return observed;
  if (const auto driven = chain(); !driven) return driven;
  return go_up_together();
}

/// A file that cannot be read or split stops the run before a server is started for it.
Result<void> Course::check_scripts() const {
  for (const std::size_t index : m_trial.judged) {
    const auto& migration = m_history.migrations[index];
    if (const auto up = migration.up(); !up) return failed(up);
    if (!migration.down_path) continue;
    if (const auto down = migration.down(); !down) return failed(down);
  }
  return {};
}

Result<void> Course::begin() {
  const auto start = std::chrono::steady_clock::now();
  if (const auto prepared = m_ground.prepare(); !prepared) return prepared;
  if (const auto returned = return_to(m_trial.first); !returned) return returned;
  m_state = m_ground.base_state();
  for (const auto& table : m_state.tables) m_run.base_rows += table.rows;
  if (m_ground.seeds()) {
    m_run.made_rows = m_options.seed_rows;
    m_run.remarks.push_back(
        fmt::format("no fixture is named: each table gets {} of our own making before the next migration "
                    "meets it, which no "
                    "people would write; name a fixture in a scenario file (--seed-rows 0: no rows)",
                    counted(m_options.seed_rows, "row")));
  } else if (m_run.base_rows == 0) {
    m_run.remarks.push_back(
        "no table holds a row at the start: of data, only what the migrations themselves insert was seen; "
        "name a fixture in a scenario file");
  }
  m_run.server = m_instance->server();
  m_run.applied = static_cast<int>(m_trial.first);
  m_run.timings.from_snapshot = m_ground.from_snapshot();
  const auto now = std::chrono::steady_clock::now();
  m_run.timings.provision = std::chrono::duration_cast<record::Microseconds>(now - start);
  m_run.timings.first_statement =
      std::chrono::duration_cast<record::Microseconds>(now - m_options.process_start);
  if (m_options.started) m_options.started(m_run, m_trial.judged.size());
  return observe_invariants(record::Moment::base, "");
}

Result<void> Course::walk() {
  m_run.migrations.reserve(m_trial.judged.size());
  for (const std::size_t index : m_trial.judged) {
    for (; m_reached < index; ++m_reached) {
      if (const auto applied = apply_only(m_reached); !applied) return applied;
    }
    auto going = pass(index);
    if (going && !*going && m_ground.seeds()) going = pass_without_rows(index);
    if (!going) return failed(going);
    if (m_options.migration_done) m_options.migration_done(m_run, m_run.migrations.back());
    if (m_kept) return {};
    if (!*going) {
      skip_rest(m_history.migrations[index].version);
      return {};
    }
  }
  return {};
}

/// Up fails, and it may be rows of our own making that it fails on, which no people would have written:
/// without them it, and all that follows, has to stand by itself.
Result<bool> Course::pass_without_rows(std::size_t index) {
  const auto failed_run = m_run.migrations.back().forward;
  m_run.migrations.pop_back();
  m_beside.reset();
  m_chain_beside.reset();
  if (const auto stopped = m_ground.stop_seeding(); !stopped) return failed(stopped);
  if (const auto returned = return_to(index); !returned) return failed(returned);
  auto state = m_instance->read_state(nullptr, everything());
  if (!state) return failed(state);
  m_state = std::move(*state);
  const auto going = pass(index);
  if (going && *going && failed_run && failed_run->error) {
    m_run.remarks.push_back(
        fmt::format("up of {} fails on the rows of our own making ({}), and passes without them: from there "
                    "on there are none",
                    m_history.migrations[index].version, abridged(failed_run->error->message, 200)));
  }
  return going;
}

/// A migration that stands between two judged ones.
Result<void> Course::apply_only(std::size_t index) {
  const auto& migration = m_history.migrations[index];
  const auto outcome = run(*m_instance, migration, Side::up, Observe::no);
  if (!outcome) return failed(outcome);
  if (outcome->run.error) {
    return failed(FailureKind::usage,
                  fmt::format("cannot apply migration '{}', which is not on trial: {}", migration.version,
                              outcome->run.error->message),
                  "put it on trial too to see what fails", outcome->run.error_location);
  }
  auto state = m_instance->read_state(nullptr, everything());
  if (!state) return failed(state);
  m_state = std::move(*state);
  ++m_run.applied;
  return seed();
}

/// One migration through forward, back and again; false where its up fails, since nothing can follow then.
Result<bool> Course::pass(std::size_t index) {
  const auto& migration = m_history.migrations[index];
  m_run.migrations.push_back(described(m_history, migration));
  Passage passage;
  passage.index = index;
  passage.migration = &migration;
  passage.record = &m_run.migrations.back();
  passage.before = std::move(m_state);
  const auto up = forward(passage);
  if (!up) return failed(up);
  if (keeping(*passage.record)) {
    if (const auto kept = keep(*m_instance); !kept) return failed(kept);
    return true;
  }
  if (*up == Ending::stopped) {
    m_state = std::move(passage.before);
    if (passage.astray) {
      if (const auto returned = return_to(index); !returned) return failed(returned);
    }
    return false;
  }
  m_reached = index + 1;
  m_passed.push_back(index);
  const auto down = back(passage);
  if (!down) return failed(down);
  if (!keeping(*passage.record) && passage.back_ran && *down == Ending::done) {
    if (const auto up_again = again(passage); !up_again) return failed(up_again);
  }
  if (keeping(*passage.record)) {
    if (const auto kept = keep(*m_instance); !kept) return failed(kept);
    return true;
  }
  if (const auto interrupted = interrupt(passage); !interrupted) return failed(interrupted);
  if (m_kept) return true;
  if (const auto inserted = insert_as_before(passage); !inserted) return failed(inserted);
  if (const auto written = write_and_go_back(passage); !written) return failed(written);
  if (const auto interrupted = interrupt_back(passage); !interrupted) return failed(interrupted);
  if (m_kept) return true;
  if (const auto queued = queue(passage); !queued) return failed(queued);
  if (const auto met = meet_traffic(passage); !met) return failed(met);
  m_state = std::move(passage.after);
  if (passage.astray) {
    if (const auto returned = return_to(index + 1); !returned) return failed(returned);
    auto state = m_instance->read_state(nullptr, everything());
    if (!state) return failed(state);
    m_state = std::move(*state);
  }
  if (const auto seeded = seed(); !seeded) return failed(seeded);
  return true;
}

/// An instance that stands at S1 after all stages: beside, or else the main one; null where none does.
engine::Instance* Course::standing_at_end(const Passage& passage) const {
  if (m_beside != nullptr && m_beside_at == passage.index + 1) return m_beside.get();
  return passage.astray ? nullptr : m_instance.get();
}

/// Tables that this migration has brought get rows for the next one to meet, here and beside.
Result<void> Course::seed() {
  if (!m_ground.seeds()) return {};
  const auto on = [this](engine::Instance& instance, engine::State& state) -> Result<void> {
    const auto touched = m_ground.seed(instance, state);
    if (!touched) return failed(touched);
    if (!touched->everything && touched->tables.empty()) return {};
    auto read = instance.read_state(&state, *touched);
    if (!read) return failed(read);
    state = std::move(*read);
    return {};
  };
  if (m_beside != nullptr && m_beside_at == m_reached) {
    if (const auto done = on(*m_beside, m_beside_state); !done) return done;
  }
  return on(*m_instance, m_state);
}

void Course::skip_rest(const std::string& failed_version) {
  for (std::size_t at = m_run.migrations.size(); at < m_trial.judged.size(); ++at) {
    MigrationRecord record = described(m_history, m_history.migrations[m_trial.judged[at]]);
    for (const Stage stage : {Stage::forward, Stage::back, Stage::again}) {
      record.skipped.push_back({stage, fmt::format("not reached: up of {} fails", failed_version)});
    }
    m_run.migrations.push_back(std::move(record));
    if (m_options.migration_done) m_options.migration_done(m_run, m_run.migrations.back());
  }
}

namespace {

/// What a file declares; one that holds both sides is read for each of them.
void declare(const sql::Source& source, MigrationRecord& record) {
  const auto comments = sql::allow_comments(source);
  for (const auto& comment : comments.value_or(std::vector<sql::AllowComment>{})) {
    const auto same = [&](const record::Declaration& known) { return known.location == comment.location; };
    if (std::any_of(record.declarations.begin(), record.declarations.end(), same)) continue;
    record.declarations.push_back({comment.rule, comment.reason, comment.until, comment.location});
  }
}

}  // namespace

MigrationRecord described(const history::History& history, const history::Migration& migration) {
  MigrationRecord record;
  record.version = migration.version;
  record.name = migration.name;
  const auto place = [](const std::string& file, int line) { return Location{file, line, line > 0 ? 1 : 0}; };
  record.up = place(migration.up_path, migration.up_line);
  if (migration.down_path) record.down = place(*migration.down_path, migration.down_line);
  record.format_has_down = history.has_down;
  for (const Side side : {Side::up, Side::down}) {
    if (side == Side::down && !migration.down_path) continue;
    const auto script = migration.script(side);
    if (!script) continue;
    for (const sql::Part& part : script->parts) {
      for (const auto& source : part.sources) declare(*source, record);
    }
  }
  return record;
}

/// Throws the present instance away and stands on a clean one with [0, index) applied.
Result<void> Course::return_to(std::size_t index) {
  m_instance.reset();
  auto instance = m_ground.at(index);
  if (!instance) return failed(instance);
  m_instance = std::move(*instance);
  m_reached = index;
  return {};
}

Result<engine::SideOutcome> Course::run(engine::Instance& instance, const history::Migration& migration,
                                        Side side, Observe observe) const {
  if (interrupted()) return failed_by_interrupt();
  return run_side(instance, migration, side, m_options.statement_timeout, observe);
}

void count_rows_met(SideRun& run, const engine::State& before) {
  const auto rows_of = [&](const std::string& relation) -> std::optional<std::int64_t> {
    for (const auto& table : before.tables) {
      if (table.table == relation) return table.rows;
    }
    return std::nullopt;
  };
  std::set<std::string> emptied;
  for (record::StatementRecord& statement : run.statements) {
    for (const record::Rewrite& rewrite : statement.rewrites) {
      if (rewrite.how == record::StorageChange::truncated) emptied.insert(rewrite.relation);
    }
    const auto met = [&](const std::string& relation) {
      return emptied.contains(relation) ? std::optional<std::int64_t>(0) : rows_of(relation);
    };
    for (record::Scan& scan : statement.scans) scan.rows = met(scan.relation);
    for (record::Rewrite& rewrite : statement.rewrites) rewrite.rows = met(rewrite.relation);
  }
}

/// The state after a side. None where the side took the database or the server with it: that is the side's
/// error.
Result<std::optional<engine::State>> Course::state_after(SideRun& run, const engine::State& previous,
                                                         const engine::Touched& touched,
                                                         const engine::Since& earlier) {
  count_rows_met(run, previous);
  auto state = m_instance->read_state(&previous, touched, earlier);
  if (state && m_instance->has_ended()) state = failed(FailureKind::environment, "the server has ended");
  if (state) return std::optional(std::move(*state));
  if (by_interrupt(state.error())) return failed(state);
  if (!run.error) {
    run.error =
        record::SqlError{"", "the database cannot be read after it: " + state.error().message, "", "", ""};
    if (!run.statements.empty()) run.error_location = run.statements.back().location;
  }
  return std::optional<engine::State>();
}

Result<void> Course::note_leaks(SideRun& run) {
  auto leaked = m_instance->leaked_settings();
  if (!leaked) return failed(leaked);
  if (m_history.keeps_session) run.leaked_settings = std::move(*leaked);
  return {};
}

bool Course::keeping(const MigrationRecord& record) const {
  if (m_options.keep == Keep::no) return false;
  for (const auto* run : {&record.forward, &record.back, &record.again}) {
    if (*run && ((*run)->error || (*run)->left_transaction_open)) return true;
  }
  return !only_column_order(record.back_difference) || !only_column_order(record.again_difference);
}

Result<void> Course::keep(engine::Instance& instance) {
  const auto line = instance.keep();
  if (!line) return failed(line);
  m_run.kept = *line;
  m_kept = true;
  m_run.chain.skipped_reason = "stopped at the first failure (--keep)";
  return {};
}

record::Run described(const scenario::Scenario& scenario, const history::History& history,
                      const history::Trial& trial) {
  record::Run run;
  run.scenario = scenario.name;
  run.scenario_file = scenario.file.empty() ? scenario.migrations_path : scenario.file;
  run.format = history.format;
  run.not_taken = history.not_taken;
  run.history_facts = history.facts;
  run.history_facts.insert(run.history_facts.end(), trial.facts.begin(), trial.facts.end());
  for (const auto& fixture : scenario.fixtures) run.fixtures.push_back(fixture.path);
  return run;
}

record::Run rehearse(engine::Engine& engine, const scenario::Scenario& scenario,
                     const history::History& history, const history::Trial& trial, const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  record::Run run = described(scenario, history, trial);
  run.server = engine.server();
  {
    Course course(engine, scenario, history, trial, options, run);
    if (const auto driven = course.drive(); !driven) run.failure = driven.error();
  }
  run.timings.total =
      std::chrono::duration_cast<record::Microseconds>(std::chrono::steady_clock::now() - start);
  return run;
}

}  // namespace lockkeeper::rehearsal
