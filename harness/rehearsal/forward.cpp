#include "rehearsal/course.h"

/// Stage 1, forward: S0 → up → S1.
namespace lockkeeper::rehearsal {

using engine::Observe;
using record::Side;
using record::Stage;

Result<Course::Ending> Course::forward(Passage& passage) {
  if (const auto tried = dry_run_before(passage); !tried) return failed(tried);
  auto outcome = run(*m_instance, *passage.migration, Side::up, Observe::yes);
  if (!outcome) return failed(outcome);
  auto& forward = passage.record->forward.emplace(std::move(outcome->run));
  auto state = state_after(forward, passage.before, outcome->touched);
  if (!state) return failed(state);
  if (const auto noted = note_leaks(forward); !noted) return failed(noted);
  if (forward.error) {
    passage.astray = !*state || !engine::compare(passage.before, **state).empty();
    for (const Stage stage : {Stage::back, Stage::again})
      passage.record->skipped.push_back({stage, "up fails"});
    return Ending::stopped;
  }
  passage.after = std::move(**state);
  passage.touched = outcome->touched;
  passage.record->forward_change = engine::compare(passage.before, passage.after);
  if (const auto noted = note_schema_facts(passage, outcome->touched); !noted) return failed(noted);
  const auto observed = observe_invariants(record::Moment::after_up, passage.migration->version);
  if (!observed) return failed(observed);
  if (const auto tried = dry_run_after(passage); !tried) return failed(tried);
  if (const auto repeated = run_again_at_once(passage); !repeated) return failed(repeated);
  return Ending::done;
}

Result<void> Course::note_schema_facts(Passage& passage, const engine::Touched& touched) {
  passage.record->schema_facts = engine::schema_facts(passage.before, passage.after);
  auto violated = m_instance->violated_constraints(touched, {&passage.before, &passage.after});
  if (!violated) return failed(violated);
  for (auto& fact : *violated) {
    const auto same = [&](const record::SchemaFact& known) {
      return known.object == fact.object && known.table == fact.table;
    };
    const auto& known = m_ground.base_violations();
    if (std::none_of(known.begin(), known.end(), same))
      passage.record->schema_facts.push_back(std::move(fact));
  }
  return {};
}

}  // namespace lockkeeper::rehearsal
