#include "rehearsal/gate.h"

#include <algorithm>
#include <random>

#include <fmt/format.h>

#include "base/interrupt.h"
#include "base/text.h"
#include "check/identity.h"
#include "rehearsal/answers.h"
#include "rehearsal/course.h"
#include "rehearsal/timing.h"
#include "sql/query_shape.h"

namespace lockkeeper::rehearsal {

using engine::Access;
using engine::Instance;
using engine::Parameters;
using engine::QueryAnswer;

namespace {

constexpr std::size_t k_most_sets = 20;
constexpr std::uint64_t k_sessions_apart = 1000;  // between their seeds
constexpr int k_sessions = 4;
// An index is built anew only to know how long that takes.
constexpr std::int64_t k_largest_rebuilt = 256LL << 20;

std::string shown(const Parameters& parameters) {
  std::vector<std::string> values;
  for (const auto& value : parameters) values.push_back(value ? abridged(*value, 40) : "NULL");
  return abridged(join(values, ", "), 200);
}

engine::QuerySettings settings_of(const scenario::Benchmark& benchmark) {
  return {benchmark.longest_query, benchmark.jit, benchmark.parallel_workers};
}

/// What of the head's time is claimed or allowed.
TimingPlan plan_of(const scenario::Query& query, const scenario::Benchmark& benchmark) {
  TimingPlan plan;
  plan.budget = benchmark.budget;
  plan.ratio_limit = query.at_most;
  if (query.at_most_time)
    plan.milliseconds_limit = std::chrono::duration<double, std::milli>(*query.at_most_time).count();
  if (query.at_least_faster) {
    const double claimed = 1 / *query.at_least_faster;
    plan.ratio_limit = plan.ratio_limit ? std::min(*plan.ratio_limit, claimed) : claimed;
  }
  if (!plan.ratio_limit && !plan.milliseconds_limit) plan.ratio_limit = benchmark.at_most;
  return plan;
}

}  // namespace

Gate::Gate(const scenario::Scenario& scenario, const history::History& history, const history::Trial& trial,
           const Options& options, Ground& ground, record::Run& run)
    : m_scenario(scenario),
      m_history(history),
      m_trial(trial),
      m_options(options),
      m_ground(ground),
      m_run(run),
      m_dialect(history.dialect) {}

void Gate::say(const std::string& what) const {
  if (m_options.progress) m_options.progress(what);
}

/// What may leave base and head otherwise than they were comes behind all that it could falsify.
Result<void> Gate::drive() {
  if (const auto ready = set_up(); !ready) return ready;
  const auto up = go_up();
  if (!up) return failed(up);
  if (!*up) return {};
  if (const auto measured = measure_sizes(); !measured) return measured;
  if (const auto ready = open_sessions(); !ready) return ready;
  for (const scenario::Query& query : m_scenario.queries) {
    say("query " + query.name);
    if (query.at_most_time) {
      m_run.remarks.push_back(
          fmt::format("query '{}': a limit of {} is one of this machine; a ratio (at_most: 1.10x) holds "
                      "on any",
                      query.name, human(*query.at_most_time)));
    }
    if (const auto seen = look_at(query); !seen) return seen;
  }
  if (const auto timed = time_all(); !timed) return timed;
  if (const auto weighed = weigh_indexes(); !weighed) return weighed;
  return resolve_doubts();
}

/// The base is vacuumed before it is copied, so that what the trial does not touch is the same on both, byte
/// by byte, its statistics too.
Result<void> Gate::set_up() {
  say("base and head side by side");
  auto head = m_ground.base();
  if (!head) return failed(head);
  m_head = std::move(*head);
  if (const auto settled = m_head->settle({}); !settled) return settled;
  auto base = m_head->copy_beside();
  if (!base) return failed(base);
  m_base = std::move(*base);
  return {};
}

Result<bool> Gate::go_up() {
  engine::Touched touched;
  for (const std::size_t index : m_history.steps_between(m_trial.first, m_trial.judged.back() + 1)) {
    if (interrupted()) return failed_by_interrupt();
    const auto& migration = m_history.migrations[index];
    say("applying " + migration.version);
    const auto outcome =
        run_side(*m_head, migration, record::Side::up, m_options.statement_timeout, engine::Observe::yes);
    if (!outcome) return failed(outcome);
    if (outcome->run.error && m_run.queries_alone) {
      return failed(FailureKind::usage,
                    fmt::format("there is no head to compare queries on: {} does not go up: {}",
                                migration.version, outcome->run.error->message),
                    "lockkeeper check says more of it", outcome->run.error_location);
    }
    if (outcome->run.error) {
      for (const scenario::Query& query : m_scenario.queries) {
        record::QueryObservation& seen = m_run.queries.emplace_back();
        seen.name = query.name;
        seen.undecided = fmt::format("{} does not go up beside the base: {}", migration.version,
                                     abridged(outcome->run.error->message, 200));
      }
      return false;
    }
    touched = united(std::move(touched), outcome->touched);
  }
  if (const auto settled = m_head->settle(touched); !settled) return failed(settled);
  return true;
}

/// Neither is always the first: what a process opens first lies elsewhere in its memory.
Result<void> Gate::open_sessions() {
  const auto settings = settings_of(m_scenario.benchmark);
  m_base_session.reset();
  m_head_session.reset();
  const bool base_first = m_openings++ % 2 == 0;
  for (const bool of_base : {base_first, !base_first}) {
    auto session = (of_base ? *m_base : *m_head).open_query_session(settings);
    if (!session) return failed(session);
    (of_base ? m_base_session : m_head_session) = std::move(*session);
  }
  return {};
}

Result<std::vector<Parameters>> Gate::parameters_of(const scenario::Query& query) {
  if (query.parameters_from.empty()) {
    if (query.parameter_sets.empty()) return std::vector<Parameters>{{}};
    return query.parameter_sets;
  }
  const auto refused = [&](const std::string& why) {
    return failed(FailureKind::usage, fmt::format("query '{}': no parameters: {}", query.name, why),
                  "correct the SQL of params: it is asked of the base, and each row is one set",
                  query.location);
  };
  const auto wrong = m_base_session->prepare(query.parameters_from, Access::read);
  if (!wrong) return failed(wrong);
  if (*wrong) return refused((*wrong)->message);
  auto answer = m_base_session->answer({});
  if (!answer) return failed(answer);
  if (answer->error) return refused(answer->error->message);
  auto sets = std::move(answer->kept);
  if (sets.size() > k_most_sets) {
    m_run.remarks.push_back(fmt::format("query '{}': of {} sets of parameters the first {} are tried",
                                        query.name, grouped(answer->rows), k_most_sets));
    sets.resize(k_most_sets);
  }
  return sets;
}

Result<void> Gate::look_at(const scenario::Query& query) {
  const auto sets = parameters_of(query);
  if (!sets) return failed(sets);
  if (sets->empty()) {
    record::QueryObservation seen;
    seen.name = query.name;
    seen.undecided = "its parameters are asked of the base, which has none";
    m_run.queries.push_back(std::move(seen));
    return {};
  }
  for (const Parameters& parameters : *sets) {
    record::QueryObservation seen;
    seen.name = query.name;
    seen.parameters = shown(parameters);
    const Case one{&query, parameters, m_run.queries.size()};
    if (const auto looked = look_at(one, seen); !looked) return looked;
    if (const auto swept = sweep(seen); !swept) return swept;
    m_run.queries.push_back(std::move(seen));
    m_cases.push_back(one);
  }
  return {};
}

/// In both sessions; false where one of them refuses it.
Result<bool> Gate::prepare(const scenario::Query& query, record::QueryObservation& seen) {
  const auto shape = sql::shape_of(query.sql, m_dialect);
  seen.writes = query.writes || shape.writes;
  if (!shape.is_query) {
    // COPY runs programs, and a PRAGMA outlives its query: such things are not even tried.
    const record::SqlError refused{
        "",
        "only SELECT, VALUES, TABLE, WITH, INSERT, UPDATE, DELETE, MERGE and REPLACE "
        "can be compared",
        "", "", ""};
    seen.base_error = refused;
    seen.head_error = refused;
    return false;
  }
  const Access access = seen.writes ? Access::write : Access::read;
  auto base = m_base_session->prepare(query.sql, access);
  if (!base) return failed(base);
  auto head = m_head_session->prepare(query.sql, access);
  if (!head) return failed(head);
  if (*base) seen.base_error = std::move(*base);
  if (*head) seen.head_error = std::move(*head);
  return !seen.base_error && !seen.head_error;
}

Result<void> Gate::look_at(const Case& one, record::QueryObservation& seen) {
  const auto prepared = prepare(*one.query, seen);
  if (!prepared) return failed(prepared);
  QueryAnswer answers[2];
  for (const int side : {0, 1}) {
    auto& error = side == 0 ? seen.base_error : seen.head_error;
    if (error) continue;
    auto& session = side == 0 ? *m_base_session : *m_head_session;
    auto answer = session.answer(one.parameters);
    if (!answer) return failed(answer);
    error = answer->error;
    (side == 0 ? seen.base_rows : seen.head_rows) = answer->rows;
    answers[side] = std::move(*answer);
    if (error) continue;
    auto explained = session.explain(one.parameters);
    if (!explained) return failed(explained);
    error = explained->error;
    (side == 0 ? seen.base_plan : seen.head_plan) = std::move(explained->plan);
    // What reads no table of anybody's is decided by itself.
    if (side != 0 || explained->tables.empty()) continue;
    const auto why = emptiness(session, explained->tables, seen);
    if (!why) return failed(why);
    seen.undecided = *why;
  }
  if (seen.base_error || seen.head_error) return {};
  return compare(one, answers[0], answers[1], seen);
}

/// Why nothing that is read says anything: no table has a row, or a join finds none since one of them has
/// none.
Result<std::string> Gate::emptiness(engine::QuerySession& session, const std::vector<std::string>& tables,
                                    const record::QueryObservation& seen) {
  std::vector<std::string> empty;
  for (const std::string& table : tables) {
    const auto is_empty = session.are_empty({table});
    if (!is_empty) return failed(is_empty);
    if (*is_empty) empty.push_back(table);
  }
  if (empty.size() == tables.size()) return std::string("the tables that it reads are empty");
  if (seen.writes || seen.base_rows > 0 || empty.empty()) return std::string();
  return fmt::format("it finds no row, and {} is empty", join(empty, ", "));
}

Result<void> Gate::compare(const Case& one, const QueryAnswer& base, const QueryAnswer& head,
                           record::QueryObservation& seen) {
  using Kind = AnswerDifference::Kind;
  const bool ordered = sql::shape_of(one.query->sql, m_dialect).ordered;
  const auto again = m_base_session->answer(one.parameters);
  if (!again) return failed(again);
  seen.not_deterministic = again->error || compare_answers(base, *again, ordered).kind != Kind::none;
  if (seen.not_deterministic) return {};
  const auto difference = compare_answers(base, head, ordered);
  seen.same_result = difference.kind == Kind::none;
  seen.difference = difference.first;
  if (seen.same_result) return {};
  m_doubts.push_back(one);
  return {};
}

/// It moves rows of the base, whose tables are longer then.
Result<void> Gate::resolve_doubts() {
  for (const Case& doubt : m_doubts) {
    record::QueryObservation& seen = m_run.queries[doubt.at];
    if (const auto prepared = prepare(*doubt.query, seen); !prepared) return failed(prepared);
    const auto usual = m_base_session->answer(doubt.parameters);
    if (!usual) return failed(usual);
    const bool ordered = sql::shape_of(doubt.query->sql, m_dialect).ordered;
    const auto ambiguous = hangs_on_plan(*m_base_session, doubt.parameters, *usual, ordered);
    if (!ambiguous) return failed(ambiguous);
    seen.ambiguous_result = *ambiguous;
  }
  return {};
}

/// Behind each query that writes: it ran more often on base, and the next one would find more dead rows
/// there.
Result<void> Gate::sweep(const record::QueryObservation& seen) {
  if (!seen.writes) return {};
  if (const auto swept = m_base->sweep(); !swept) return swept;
  return m_head->sweep();
}

Result<void> Gate::measure_sizes() {
  for (const scenario::SizeClaim& claim : m_scenario.sizes) {
    record::SizeObservation seen;
    seen.what = claim.describe();
    seen.at_most = claim.at_most;
    for (auto* side : {&m_base, &m_head}) {
      std::optional<std::int64_t> bytes;
      const auto add = [&](const Result<std::optional<std::int64_t>>& part) -> Result<void> {
        if (!part) return failed(part);
        if (*part) bytes = bytes.value_or(0) + **part;
        return {};
      };
      if (!claim.table.empty()) {
        if (const auto added = add((*side)->size_of_table(claim.table)); !added) return added;
      }
      if (!claim.index.empty()) {
        if (const auto added = add((*side)->size_of_index(claim.index)); !added) return added;
      }
      for (const std::string& column : claim.columns) {
        if (const auto added = add((*side)->size_of_column(column)); !added) return added;
      }
      (side == &m_base ? seen.base_bytes : seen.head_bytes) = bytes;
    }
    m_run.sizes.push_back(std::move(seen));
  }
  auto base = m_base->indexes();
  if (!base) return failed(base);
  auto head = m_head->indexes();
  if (!head) return failed(head);
  m_base_indexes = std::move(*base);
  m_head_indexes = std::move(*head);
  return {};
}

bool Gate::is_timed(const record::QueryObservation& seen) const {
  return !seen.base_error && !seen.head_error && seen.undecided.empty();
}

/// The chance of a false alarm is shared out among all bounds that are asked for (Bonferroni), so that it
/// holds for the whole run.
Result<void> Gate::time_all() {
  if (m_options.gate_time == GateTime::no) return {};
  std::size_t bounds = 0;
  for (const Case& one : m_cases) {
    const TimingPlan plan = plan_of(*one.query, m_scenario.benchmark);
    if (is_timed(m_run.queries[one.at])) bounds += plan.ratio_limit && plan.milliseconds_limit ? 2 : 1;
  }
  if (bounds == 0) return {};
  std::uint64_t seed = m_scenario.benchmark.seed ? *m_scenario.benchmark.seed : std::random_device()();
  for (const Case& one : m_cases) {
    record::QueryObservation& seen = m_run.queries[one.at];
    if (!is_timed(seen)) continue;
    say("timing " + seen.name);
    if (const auto prepared = prepare(*one.query, seen); !prepared) return failed(prepared);
    TimingPlan plan = plan_of(*one.query, m_scenario.benchmark);
    plan.error_rate = m_scenario.benchmark.false_alarms / static_cast<double>(bounds);
    plan.seed = seed++;
    auto timing = time_surely(one, plan, seen);
    if (!timing) return failed(timing);
    seen.timing = std::move(*timing);
    if (const auto swept = sweep(seen); !swept) return swept;
  }
  return {};
}

/// A session sits well or badly for as long as it lives: where its memory lies, and, where it is not pinned,
/// on which core. No number of pairs tells that from a slower query, so slower is only what is slower in each
/// of several pairs of sessions.
Result<record::QueryTiming> Gate::time_surely(const Case& one, TimingPlan plan,
                                              record::QueryObservation& seen) {
  auto timing = time_in_pairs(*m_base_session, *m_head_session, one.parameters, plan);
  for (int again = 1; again < k_sessions && timing; ++again) {
    if (timing->verdict != record::TimeVerdict::beyond) break;
    plan.seed += k_sessions_apart;
    if (const auto ready = open_sessions(); !ready) return failed(ready);
    if (const auto prepared = prepare(*one.query, seen); !prepared) return failed(prepared);
    timing = time_in_pairs(*m_base_session, *m_head_session, one.parameters, plan);
  }
  return timing;
}

/// By name: an index that was dropped and made anew under its name is the same one.
Result<void> Gate::weigh_indexes() {
  const auto lacks = [](const std::vector<Instance::IndexInfo>& list, const std::string& name) {
    return std::ranges::none_of(list, [&](const auto& index) { return index.name == name; });
  };
  const auto users = [&](const std::string& name, record::QueryPlan record::QueryObservation::*plan) {
    std::vector<std::string> queries;
    for (const auto& seen : m_run.queries) {
      const auto& used = (seen.*plan).indexes;
      const bool uses = std::ranges::any_of(
          used, [&](const std::string& index) { return check::same_identity(index, name); });
      if (uses && (queries.empty() || queries.back() != seen.name)) queries.push_back(seen.name);
    }
    return queries;
  };
  for (const auto& index : m_head_indexes) {
    if (!lacks(m_base_indexes, index.name)) continue;
    record::IndexCost cost;
    cost.index = index.name;
    cost.table = index.table;
    cost.bytes = index.bytes;
    cost.used_by = users(index.name, &record::QueryObservation::head_plan);
    const auto there = m_base->size_of_table(index.table);
    if (!there) return failed(there);
    cost.on_new_table = !*there;
    for (const auto& other : m_head_indexes) {
      const bool shorter = other.plain && other.table == index.table &&
                           other.columns.size() < index.columns.size() &&
                           std::equal(other.columns.begin(), other.columns.end(), index.columns.begin());
      if (shorter && index.plain) cost.supersedes.push_back(other.name);
    }
    if (!cost.on_new_table && index.bytes <= k_largest_rebuilt) {
      const auto built = m_head->rebuild_index(index.name);
      if (!built) return failed(built);
      cost.build = *built;
    }
    m_run.index_costs.push_back(std::move(cost));
  }
  for (const auto& index : m_base_indexes) {
    if (!lacks(m_head_indexes, index.name)) continue;
    record::IndexCost cost;
    cost.index = index.name;
    cost.table = index.table;
    cost.dropped = true;
    cost.bytes = index.bytes;
    cost.used_by = users(index.name, &record::QueryObservation::base_plan);
    m_run.index_costs.push_back(std::move(cost));
  }
  return {};
}

record::Run bench(engine::Engine& engine, const scenario::Scenario& scenario, const history::History& history,
                  const history::Trial& trial, const Options& options) {
  record::Run run = described(scenario, history, trial);
  run.queries_alone = true;
  run.chain.skipped_reason = "queries alone were compared";
  const auto start = std::chrono::steady_clock::now();
  const auto drive = [&]() -> Result<void> {
    Ground ground(engine, scenario, history, trial, options);
    if (const auto prepared = ground.prepare(); !prepared) return prepared;
    for (const auto& table : ground.base_state().tables) run.base_rows += table.rows;
    if (ground.seeds()) run.made_rows = options.seed_rows;
    run.server = engine.server();
    run.applied = static_cast<int>(trial.first);
    run.timings.from_snapshot = ground.from_snapshot();
    run.timings.provision =
        std::chrono::duration_cast<record::Microseconds>(std::chrono::steady_clock::now() - start);
    if (options.started) options.started(run, 0);
    if (const auto driven = Gate(scenario, history, trial, options, ground, run).drive(); !driven)
      return driven;
    if (const auto failure = ground.settle()) {
      run.remarks.push_back(
          fmt::format("the snapshot cannot be kept, the next run makes it again: {}", failure->message));
    }
    return {};
  };
  if (const auto driven = drive(); !driven) run.failure = driven.error();
  run.timings.total =
      std::chrono::duration_cast<record::Microseconds>(std::chrono::steady_clock::now() - start);
  return run;
}

}  // namespace lockkeeper::rehearsal
