#include <algorithm>

#include <fmt/format.h>

#include "rehearsal/course.h"
#include "rehearsal/gate.h"

/// What the scenario asks of base and head: invariants, expectations, and by the gate its critical queries.
namespace lockkeeper::rehearsal {

using engine::Instance;

namespace {

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
  const bool compared = !m_scenario.queries.empty() || !m_scenario.sizes.empty();
  const bool asked = !m_scenario.after_up.empty() || compared;
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
  if (!m_scenario.after_up.empty()) {
    const auto base = base_instance();
    if (!base) return failed(base);
    // The base was analyzed when it was made; the head is looked at as it is once autovacuum has been by.
    if (const auto analyzed = m_instance->analyze(); !analyzed) return analyzed;
    auto expectations = ask_expectations(m_scenario, **base, *m_instance);
    if (!expectations) return failed(expectations);
    m_run.expectations = std::move(*expectations);
  }
  if (const auto restored = m_instance->restore_sequences(m_state); !restored || !compared) return restored;
  // Nothing else shall be at work while queries are timed.
  if (m_chain_beside) m_chain_beside->finish();
  made.reset();
  return Gate(m_scenario, m_history, m_trial, m_options, m_ground, m_run).drive();
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

}  // namespace lockkeeper::rehearsal
