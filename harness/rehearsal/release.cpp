#include "rehearsal/release.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/interrupt.h"
#include "base/text.h"
#include "base/tree.h"
#include "check/finding.h"
#include "record/names.h"
#include "rehearsal/chain.h"

namespace lockkeeper::rehearsal {

using engine::Instance;
using engine::Observe;
using record::ReleaseStep;
using record::Side;

namespace {

constexpr std::size_t k_most_evidence = 20;

/// What IF NOT EXISTS passed over (PostgreSQL: duplicate_table, _column, _object, _schema, _function).
bool says_already_there(const record::Notice& notice) {
  static const std::set<std::string> k_duplicates = {"42P07", "42701", "42710", "42P06", "42723"};
  return k_duplicates.contains(notice.sqlstate);
}

/// The first of them is what is told first.
void refuse(ReleaseStep& step, std::string why) {
  if (step.ok)
    step.evidence.insert(step.evidence.begin(), std::move(why));
  else if (step.evidence.size() < k_most_evidence)
    step.evidence.push_back(std::move(why));
  step.ok = false;
}

}  // namespace

ReleaseCourse::ReleaseCourse(engine::Engine& engine, const scenario::Scenario& scenario,
                             const history::History& history, const history::Trial& trial,
                             const Options& options, record::Run& run)
    : m_engine(engine),
      m_scenario(scenario),
      m_history(history),
      m_trial(trial),
      m_options(options),
      m_run(run),
      m_release(run.release.emplace()),
      m_plan(scenario.release.value_or(scenario::ReleasePlan{})),
      m_ground(engine, scenario, history, trial, options) {
  if (m_trial.first > 0) m_release.from = m_history.migrations[m_trial.first - 1].version;
  m_release.to = m_history.migrations[m_trial.judged.back()].version;
  m_release.environment = m_plan.environment;
  m_release.database = m_scenario.database;
  m_ground.seed_the_base_alone();
}

void ReleaseCourse::say(const std::string& what) const {
  if (m_options.progress) m_options.progress(what);
}

std::string ReleaseCourse::told(std::string message) const {
  const std::string ours = m_options.work_directory.string() + "/";
  for (std::size_t at = message.find(ours); at != std::string::npos; at = message.find(ours, at))
    message.erase(at, ours.size());
  return message;
}

record::ToolRun ReleaseCourse::told(record::ToolRun run) const {
  for (std::string& said : run.said) said = told(std::move(said));
  return run;
}

Result<void> ReleaseCourse::step(const std::string& name, const std::function<Result<void>(Step&)>& act) {
  if (interrupted()) return failed_by_interrupt();
  say(name);
  Step done;
  done.name = name;
  const auto begun = Clock::now();
  done.begun = std::chrono::duration_cast<record::Microseconds>(begun - m_start);
  auto result = act(done);
  done.duration = std::chrono::duration_cast<record::Microseconds>(Clock::now() - begun);
  if (!result) done.ok = false;
  note(std::move(done));
  return result;
}

void ReleaseCourse::note(Step done) {
  m_release.steps.push_back(std::move(done));
  if (m_options.step_done) m_options.step_done(m_run, m_release.steps.back());
}

Result<engine::State> ReleaseCourse::read(Instance& instance) const {
  return instance.read_state(nullptr, everything());
}

Result<engine::SideOutcome> ReleaseCourse::run(Instance& instance, std::size_t index, Side side,
                                               Observe observe) const {
  if (interrupted()) return failed_by_interrupt();
  return run_side(instance, m_history.migrations[index], side, m_options.statement_timeout, observe);
}

Result<void> ReleaseCourse::drive() {
  if (const auto prepared = prepare(); !prepared) return prepared;
  if (const auto done = pre_checks(); !done) return done;
  if (const auto done = back_up_all(); !done) return done;
  if (const auto done = prove_all(); !done) return done;
  if (const auto done = prove_on_new_server(); !done) return done;
  if (const auto done = check_space(); !done) return done;
  const auto applied = apply_all();
  if (!applied) return failed(applied);
  if (*applied) {
    if (const auto done = step("verification", [&](Step& step) { return verify(step); }); !done) return done;
    if (const auto done = operate(); !done) return done;
    if (const auto done = write(); !done) return done;
    if (const auto done = go_back(); !done) return done;
  }
  if (const auto done = fail_everywhere(); !done) return done;
  if (const auto failure = m_ground.settle()) {
    m_run.remarks.push_back(
        fmt::format("the snapshot cannot be kept, the next run makes it again: {}", failure->message));
  }
  return {};
}

Result<void> ReleaseCourse::prepare() {
  if (const auto prepared = m_ground.prepare(); !prepared) return prepared;
  auto instance = m_ground.at(m_trial.first);
  if (!instance) return failed(instance);
  m_production = std::move(*instance);
  m_run.server = m_production->server();
  m_run.applied = static_cast<int>(m_trial.first);
  m_run.timings.from_snapshot = m_ground.from_snapshot();
  m_run.timings.provision = std::chrono::duration_cast<record::Microseconds>(Clock::now() - m_start);
  m_before = m_ground.base_state();
  for (const auto& table : m_before.tables) {
    m_run.base_rows += table.rows;
    m_release.rows.push_back({table.table, table.rows});
    if (table.rows > 0 && !table.storage.empty()) m_tables.push_back(table.table);
  }
  if (m_ground.seeds()) m_run.made_rows = m_options.seed_rows;
  const auto bytes = m_production->size();
  if (!bytes) return failed(bytes);
  m_release.database_bytes = *bytes;
  m_backups = m_options.work_directory / "backups";
  m_release.free_bytes = free_space(m_options.work_directory);
  if (m_plan.backups.empty()) m_plan.backups = planned_backups();
  if (const auto sound = check_plan(); !sound) return sound;
  if (m_options.started) m_options.started(m_run, m_trial.judged.size());
  return {};
}

/// What only the engine knows: its forms, and the names of its usual backups.
Result<void> ReleaseCourse::check_plan() const {
  const auto forms = m_production->backup_forms();
  std::vector<std::string> names;
  for (const auto& backup : m_plan.backups) {
    names.push_back(backup.name);
    if (backup.form == record::BackupForm::command ||
        std::find(forms.begin(), forms.end(), backup.form) != forms.end())
      continue;
    std::vector<std::string> known;
    for (const auto form : forms) known.emplace_back(name_of(form));
    return failed(FailureKind::usage,
                  fmt::format("backup '{}': {} has no form '{}'", backup.name, m_run.server.engine,
                              name_of(backup.form)),
                  "its forms are " + join(known, ", "), backup.location);
  }
  std::vector<Way> ways = m_plan.roads;
  if (m_plan.on_failure) ways.push_back(*m_plan.on_failure);
  for (const Way& way : ways) {
    if (!way.backup.empty() && planned(way.backup) == nullptr)
      return failed(FailureKind::usage, fmt::format("no backup is named '{}'", way.backup),
                    "the backups are " + join(names, ", "), way.location);
    if (way.open && m_history.dialect != sql::Dialect::sqlite)
      return failed(FailureKind::usage, "a way back with 'open: true' is one over a file of SQLite's",
                    "leave 'open' out", way.location);
  }
  return {};
}

/// Each tried in a transaction that is rolled back.
Result<void> ReleaseCourse::ask(const std::vector<scenario::Invariant>& checks, Instance& instance,
                                bool before, Step& step) {
  for (const scenario::Invariant& check : checks) {
    const auto answer = instance.try_query({check.sql, {}});
    if (!answer) return failed(answer);
    record::ReleaseCheck& seen = m_release.checks.emplace_back();
    seen.name = check.name;
    seen.before = before;
    seen.held = !answer->error && (!check.equals || *check.equals == answer->text());
    seen.found = answer->error  ? check::error_text(*answer->error)
                 : check.equals ? abridged(answer->text())
                                : "it ran";
    if (!seen.held)
      refuse(step, fmt::format("{}: {}{}", check.name, seen.found,
                               check.equals ? ", must be " + *check.equals : ""));
    else
      step.evidence.push_back(fmt::format("{}: {}", check.name, seen.found));
  }
  return {};
}

Result<void> ReleaseCourse::pre_checks() {
  return step("pre-checks", [&](Step& step) -> Result<void> {
    if (const auto asked = ask(m_plan.pre_checks, *m_production, true, step); !asked) return asked;
    auto invariants = ask_invariants(*m_production, m_scenario, record::Moment::base, "");
    if (!invariants) return failed(invariants);
    m_run.invariants = std::move(*invariants);
    auto& forewarnings = m_release.forewarnings;
    for (const auto& fact : m_ground.base_violations()) {
      forewarnings.push_back(fmt::format("rows of {} break {}: {}", fact.table, fact.object, fact.detail));
      refuse(step, forewarnings.back());
    }
    for (const auto& fact : engine::schema_facts(engine::State{}, m_before)) {
      if (fact.kind == record::SchemaFactKind::index_invalid) {
        forewarnings.push_back(fmt::format("index {} on {} is INVALID", fact.object, fact.table));
        refuse(step, forewarnings.back());
      }
      if (fact.kind == record::SchemaFactKind::constraint_not_validated) {
        forewarnings.push_back(fmt::format("constraint {} on {} is NOT VALID", fact.object, fact.table));
        step.evidence.push_back(forewarnings.back());
      }
    }
    return try_on_copy(step);
  });
}

/// What the trial would trip over is found by letting it.
Result<void> ReleaseCourse::try_on_copy(Step& step) {
  auto copy = m_ground.at(m_trial.first);
  if (!copy) return failed(copy);
  for (const std::size_t index : m_trial.judged) {
    const auto outcome = run(**copy, index, Side::up, Observe::yes);
    if (!outcome) return failed(outcome);
    for (const auto& statement : outcome->run.statements) {
      for (const auto& rewrite : statement.rewrites)
        m_rewritten =
            std::max(m_rewritten, static_cast<std::uint64_t>(std::max<std::int64_t>(rewrite.bytes, 0)));
      for (const auto& notice : statement.notices) {
        if (!says_already_there(notice)) continue;
        m_release.forewarnings.push_back(fmt::format("is there already: {} (up of {})", notice.message,
                                                     m_history.migrations[index].version));
        refuse(step, m_release.forewarnings.back());
      }
    }
    if (!outcome->run.error) continue;
    const auto& error = *outcome->run.error;
    refuse(step, fmt::format("up of {} fails on these rows: {}{}{}", m_history.migrations[index].version,
                             check::error_text(error), error.detail.empty() ? "" : ": ", error.detail));
    return {};
  }
  step.evidence.push_back(
      "tried on a copy: " + counted(static_cast<std::int64_t>(m_trial.judged.size()), "migration") +
      " went up");
  return {};
}

/// False where an up fails: what follows would be judged on ruins.
Result<bool> ReleaseCourse::apply_all() {
  m_run.migrations.reserve(m_trial.judged.size());
  m_states.push_back(m_before);
  std::size_t reached = m_trial.first;
  for (const std::size_t index : m_trial.judged) {
    for (; reached < index; ++reached) {
      const auto outcome = run(*m_production, reached, Side::up, Observe::no);
      if (!outcome) return failed(outcome);
      if (outcome->run.error)
        return failed(FailureKind::usage,
                      fmt::format("cannot apply migration '{}', which is not on trial: {}",
                                  m_history.migrations[reached].version, outcome->run.error->message),
                      "put it on trial too to see what fails", outcome->run.error_location);
    }
    reached = index + 1;
    const auto applied = apply(index);
    if (!applied || !*applied) return applied;
  }
  m_after = m_states.back();
  return true;
}

Result<bool> ReleaseCourse::apply(std::size_t index) {
  const auto& migration = m_history.migrations[index];
  auto& record = m_run.migrations.emplace_back(described(m_history, migration));
  if (const auto tried = try_dry(migration, record); !tried) return failed(tried);
  bool applied = true;
  const auto done = step("apply " + migration.version, [&](Step& step) -> Result<void> {
    auto outcome = run(*m_production, index, Side::up, Observe::yes);
    if (!outcome) return failed(outcome);
    auto& forward = record.forward.emplace(std::move(outcome->run));
    count_rows_met(forward, m_states.back());
    if (forward.error) {
      refuse(step, check::error_text(*forward.error));
      applied = false;
      return {};
    }
    auto state = m_production->read_state(&m_states.back(), outcome->touched);
    if (!state) return failed(state);
    record.forward_change = engine::compare(m_states.back(), *state);
    record.schema_facts = engine::schema_facts(m_states.back(), *state);
    m_states.push_back(std::move(*state));
    step.evidence.push_back(
        fmt::format("{} in {}", counted(static_cast<std::int64_t>(forward.statements.size()), "statement"),
                    human(forward.duration)));
    return {};
  });
  if (!done) return failed(done);
  return applied;
}

Result<void> ReleaseCourse::try_dry(const history::Migration& migration, record::MigrationRecord& record) {
  if (!migration.dry_run) return {};
  return step("dry run " + migration.version, [&](Step& step) -> Result<void> {
    auto dry = dry_run(*m_production, migration, m_states.back());
    if (!dry) return failed(dry);
    if (dry->error) refuse(step, check::error_text(*dry->error));
    if (!dry->change.empty() || dry->bytes_changed) refuse(step, "it changed the database");
    if (step.ok) step.evidence.emplace_back("it ran, and changed nothing");
    record.dry_run = std::move(*dry);
    return {};
  });
}

Result<void> ReleaseCourse::verify(Step& step) {
  auto invariants =
      ask_invariants(*m_production, m_scenario, record::Moment::after_up, m_run.migrations.back().version);
  if (!invariants) return failed(invariants);
  m_run.invariants.insert(m_run.invariants.end(), invariants->begin(), invariants->end());
  if (const auto analyzed = m_production->analyze(); !analyzed) return analyzed;
  if (!m_scenario.after_up.empty()) {
    auto base = m_ground.base();
    if (!base) return failed(base);
    auto expectations = ask_expectations(m_scenario, **base, *m_production);
    if (!expectations) return failed(expectations);
    m_run.expectations = std::move(*expectations);
  }
  for (const auto& seen : m_run.expectations) {
    if (!seen.after_held) refuse(step, fmt::format("{}: {}", seen.description, abridged(seen.after_found)));
  }
  if (step.ok)
    step.evidence.push_back(
        fmt::format("{} and {}", counted(static_cast<std::int64_t>(m_run.expectations.size()), "expectation"),
                    counted(static_cast<std::int64_t>(invariants->size()), "invariant")));
  auto violated = m_production->violated_constraints(everything());
  if (!violated) return failed(violated);
  for (auto& fact : *violated) {
    const auto same = [&](const auto& known) {
      return known.object == fact.object && known.table == fact.table;
    };
    const auto& known = m_ground.base_violations();
    if (std::any_of(known.begin(), known.end(), same)) continue;
    refuse(step, fmt::format("rows of {} break {}", fact.table, fact.object));
    m_run.migrations.back().schema_facts.push_back(std::move(fact));
  }
  // What was tried may have drawn from sequences.
  return m_production->restore_sequences(m_after);
}

Result<void> ReleaseCourse::operate() {
  if (m_plan.operations.empty() && m_scenario.queries.empty()) return {};
  return step("operations", [&](Step& step) -> Result<void> {
    if (const auto asked = ask(m_plan.operations, *m_production, false, step); !asked) return asked;
    for (const auto& query : m_scenario.queries) {
      const auto parameters = query.first_parameters();
      if (!parameters) {
        step.evidence.push_back(
            fmt::format("query '{}': not run: its parameters are asked of a base", query.name));
        continue;
      }
      const auto answer = m_production->try_query({query.sql, *parameters});
      if (!answer) return failed(answer);
      if (answer->error)
        refuse(step, fmt::format("query '{}': {}", query.name, check::error_text(*answer->error)));
      else
        step.evidence.push_back(fmt::format("query '{}': {}", query.name,
                                            counted(static_cast<std::int64_t>(answer->rows.size()), "row")));
    }
    return m_production->restore_sequences(m_after);
  });
}

/// As the new release writes in its first minutes: the scenario's writes, or what only the new schema lets
/// in.
Result<void> ReleaseCourse::write() {
  const auto done = step("writes", [&](Step& step) -> Result<void> {
    for (const std::string& sql : m_scenario.writes) {
      const auto written = m_production->execute(sql, {});
      if (written)
        step.evidence.push_back(abridged(sql));
      else if (written.error().kind == FailureKind::interrupted)
        return written;
      else
        refuse(step, written.error().message);
    }
    if (m_scenario.writes.empty()) {
      const auto wishes = wishes_of(engine::compare(m_before, m_after), m_before, m_after);
      const auto writes = m_production->write(wishes);
      if (!writes) return failed(writes);
      if (!*writes) step.evidence.emplace_back("no rows are made on this engine: name some as writes");
      for (const auto& write : writes->value_or(std::vector<record::Write>())) {
        step.evidence.push_back(write.skipped.empty() ? fmt::format("{}: {}", write.table, write.what)
                                                      : fmt::format("{}: not {}: {}", write.table, write.what,
                                                                    abridged(write.skipped)));
      }
    }
    auto state = m_production->read_state(&m_after, everything());
    if (!state) return failed(state);
    m_used = std::move(*state);
    for (const auto& table : m_used.tables) {
      std::int64_t before = 0;
      for (const auto& known : m_after.tables) {
        if (known.table == table.table) before = known.rows;
      }
      if (table.rows > before) m_release.written.push_back({table.table, table.rows - before});
    }
    return {};
  });
  if (!done) return done;
  auto image = m_production->save(m_options.work_directory / "used");
  if (!image) return failed(image);
  m_production.reset();
  m_used_image = std::move(*image);
  return {};
}

namespace {

record::Run drive_release(engine::Engine& engine, const scenario::Scenario& scenario,
                          const history::History& history, const history::Trial& trial,
                          const Options& options) {
  record::Run run = described(scenario, history, trial);
  run.server = engine.server();
  run.chain.skipped_reason = "a release check drives roads back instead";
  ReleaseCourse course(engine, scenario, history, trial, options, run);
  if (const auto driven = course.drive(); !driven) run.failure = driven.error();
  return run;
}

/// The up that fails on rows of our own making; null where none does.
const record::MigrationRecord* fails_on_made_rows(const record::Run& run) {
  const bool failed = !run.failure && run.made_rows > 0 && !run.migrations.empty() &&
                      run.migrations.back().forward && run.migrations.back().forward->error;
  return failed ? &run.migrations.back() : nullptr;
}

}  // namespace

record::Run rehearse_release(engine::Engine& engine, const scenario::Scenario& scenario,
                             const history::History& history, const history::Trial& trial,
                             const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  record::Run run = drive_release(engine, scenario, history, trial, options);
  // Rows of our own making are such as no people would have written: without them it has to stand by itself.
  if (const auto* failing = fails_on_made_rows(run)) {
    Options without_rows = options;
    without_rows.seed_rows = 0;
    without_rows.started = {};
    without_rows.work_directory /= "without-rows";
    std::error_code error;
    std::filesystem::create_directories(without_rows.work_directory, error);
    const std::string remark = fmt::format(
        "up of {} fails on rows of our own making ({}): all of it was driven once more without any",
        failing->version, abridged(failing->forward->error->message, 200));
    run = drive_release(engine, scenario, history, trial, without_rows);
    run.remarks.push_back(remark);
  } else if (run.made_rows > 0) {
    run.remarks.push_back(fmt::format(
        "no fixture is named: each table got {} of our own making; name production's rows in a scenario file",
        counted(run.made_rows, "row")));
  }
  run.timings.total =
      std::chrono::duration_cast<record::Microseconds>(std::chrono::steady_clock::now() - start);
  return run;
}

}  // namespace lockkeeper::rehearsal
