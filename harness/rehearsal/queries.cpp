#include <algorithm>

#include <fmt/format.h>

#include "rehearsal/course.h"

/// What the scenario asks of base and head: invariants, expectations, critical queries side by side.
namespace lockkeeper::rehearsal {

using engine::Instance;
using engine::QueryRequest;

namespace {

constexpr int k_pairs = 25;
constexpr int k_warm_up = 3;
// A query of seconds is not run for minutes: its noise is small beside its time.
constexpr double k_time_for_one_query_ms = 4000;
constexpr int k_fewest_pairs = 5;

std::vector<std::vector<std::optional<std::string>>> sorted(const engine::Answer& answer) {
  auto rows = answer.rows;
  std::sort(rows.begin(), rows.end());
  return rows;
}

/// Evaluates one expectation, whichever kind it is.
Result<Instance::Held> check(Instance& instance, const scenario::Expectation& wanted) {
  if (!wanted.column.empty()) {
    return instance.check_column(wanted.column, wanted.nullable, wanted.type, wanted.default_value,
                                 wanted.exists);
  }
  if (!wanted.constraint.empty()) {
    return instance.check_constraint(wanted.constraint, wanted.on_delete, wanted.on_update, wanted.validated,
                                     wanted.exists);
  }
  if (!wanted.index.empty()) {
    return instance.check_index(wanted.index, wanted.columns, wanted.unique, wanted.valid, wanted.exists);
  }
  const auto answer = instance.try_query({wanted.sql, {}});
  if (!answer) return failed(answer);
  if (answer->error) return Instance::Held{false, answer->error->message, answer->error->sqlstate};
  const std::string text = answer->text();
  return Instance::Held{!wanted.equals || *wanted.equals == text, wanted.equals ? text : "succeeds", ""};
}

}  // namespace

Result<void> Course::observe_invariants(record::Moment moment, const std::string& migration) {
  auto seen = ask_invariants(*m_instance, m_scenario, moment, migration);
  if (!seen) return failed(seen);
  m_run.invariants.insert(m_run.invariants.end(), seen->begin(), seen->end());
  return {};
}

/// With the whole trial up, a clean base is set beside it. What is tried here may draw from sequences: they
/// are put back, so that the chain finds the head as it was.
Result<void> Course::observe_head() {
  const bool asked = !m_scenario.after_up.empty() || !m_scenario.queries.empty();
  if (m_passed.size() < m_trial.judged.size()) {
    if (asked || m_scenario.old_release)
      m_run.remarks.push_back("expectations and queries were not looked at: the head was not reached");
    return {};
  }
  std::unique_ptr<Instance> made;
  const BaseInstance base_instance = [&]() -> Result<Instance*> {
    if (made == nullptr) {
      auto instance = m_ground.at(m_trial.first);
      if (!instance) return failed(instance);
      made = std::move(*instance);
    }
    return made.get();
  };
  if (const auto seen = observe_old_views(base_instance); !seen) return seen;
  if (const auto seen = observe_old_release(base_instance); !seen) return seen;
  if (!asked) return m_scenario.old_release ? m_instance->restore_sequences(m_state) : Result<void>();
  const auto base = base_instance();
  if (!base) return failed(base);
  // The base was analyzed when it was made; the head is looked at as it is once autovacuum has been by.
  if (const auto analyzed = m_instance->analyze(); !analyzed) return analyzed;
  auto expectations = ask_expectations(m_scenario, **base, *m_instance);
  if (!expectations) return failed(expectations);
  m_run.expectations = std::move(*expectations);
  // Nothing else shall be at work while queries are timed.
  if (m_chain_beside && !m_scenario.queries.empty()) m_chain_beside->finish();
  for (const auto& query : m_scenario.queries) {
    if (m_options.progress) m_options.progress("query " + query.name);
    if (const auto seen = observe_query(**base, query); !seen) return seen;
  }
  return m_instance->restore_sequences(m_state);
}

Result<std::vector<record::ExpectationObservation>> ask_expectations(const scenario::Scenario& scenario,
                                                                     Instance& base, Instance& head) {
  std::vector<record::ExpectationObservation> observations;
  for (std::size_t index = 0; index < scenario.after_up.size(); ++index) {
    const auto& wanted = scenario.after_up[index];
    record::ExpectationObservation seen;
    seen.index = index;
    seen.description = wanted.describe();
    if (wanted.not_before || !wanted.fails_before.empty()) {
      const auto before = check(base, wanted);
      if (!before) return failed(before);
      seen.before_known = true;
      seen.before_held = before->held;
      seen.before_found = before->found;
      seen.before_sqlstate = before->sqlstate;
    }
    const auto after = check(head, wanted);
    if (!after) return failed(after);
    seen.after_held = after->held;
    seen.after_found = after->found;
    seen.after_sqlstate = after->sqlstate;
    observations.push_back(std::move(seen));
  }
  return observations;
}

Result<void> Course::observe_query(Instance& base, const scenario::Query& query) {
  const QueryRequest request{query.sql, query.parameters};
  record::QueryObservation seen;
  seen.name = query.name;
  const auto base_answer = base.try_query(request);
  if (!base_answer) return failed(base_answer);
  const auto head_answer = m_instance->try_query(request);
  if (!head_answer) return failed(head_answer);
  seen.base_error = base_answer->error;
  seen.head_error = head_answer->error;
  seen.base_rows = static_cast<std::int64_t>(base_answer->rows.size());
  seen.head_rows = static_cast<std::int64_t>(head_answer->rows.size());
  for (auto* side : {&base, m_instance.get()}) {
    const auto planned = side->plan(request);
    if (!planned) return failed(planned);
    (side == &base ? seen.base_plan : seen.head_plan) = planned->plan;
  }
  if (!seen.base_error && !seen.head_error) {
    seen.same_result = sorted(*base_answer) == sorted(*head_answer);
    if (!seen.same_result) {
      const auto ambiguous = base.is_ambiguous(request);
      if (!ambiguous) return failed(ambiguous);
      seen.ambiguous_result = *ambiguous;
    }
    // One execution on each side, then the other way round: neither always comes first.
    double spent = 0;
    for (int pair = -k_warm_up; pair < k_pairs; ++pair) {
      double milliseconds[2] = {0, 0};
      for (const int turn : {0, 1}) {
        const int side = (pair + k_warm_up + turn) % 2;
        const auto time = (side == 0 ? base : *m_instance).time_query(request);
        if (!time) return failed(time);
        milliseconds[side] = *time;
      }
      spent += milliseconds[0] + milliseconds[1];
      if (pair < 0 && spent < k_time_for_one_query_ms) continue;
      seen.base_milliseconds.push_back(milliseconds[0]);
      seen.head_milliseconds.push_back(milliseconds[1]);
      if (spent > k_time_for_one_query_ms && seen.base_milliseconds.size() >= k_fewest_pairs) break;
    }
  }
  m_run.queries.push_back(std::move(seen));
  return {};
}

}  // namespace lockkeeper::rehearsal
