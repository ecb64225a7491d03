#include "rehearsal/course.h"

/// Stage 3, again: S2 → up → S3. S3 must equal S1.
namespace lockkeeper::rehearsal {

using engine::Observe;
using record::Side;

Result<void> Course::again(Passage& passage) {
  auto& record = *passage.record;
  // Sequences are not judged. Where all else is as before, up shall find them as before too: else every row
  // that it makes has another number. Where rows were left behind, setting them back would make keys collide.
  if (record.back_difference.empty() && !record.sequence_moves.empty()) {
    if (const auto restored = m_instance->restore_sequences(passage.before); !restored)
      return failed(restored);
  }
  auto outcome = run(*m_instance, *passage.migration, Side::up, Observe::yes);
  if (!outcome) return failed(outcome);
  auto& again = record.again.emplace(std::move(outcome->run));
  // What neither down nor up touched is as it was in S1.
  auto state = state_after(again, passage.back, outcome->touched,
                           {&passage.after, united(passage.touched_back, outcome->touched)});
  if (!state) return failed(state);
  if (const auto noted = note_leaks(again); !noted) return failed(noted);
  if (again.error) {
    passage.astray = true;
    return {};
  }
  auto difference = engine::compare(passage.after, **state);
  if (!difference.empty()) {
    if (const auto examined = examine_again(passage, std::move(difference)); !examined) return examined;
  }
  // Whatever S2 was: where S3 is S1, the next migration finds what it would find in a clean history.
  if (passage.astray) return {};
  if (!engine::compare_sequences(passage.after, **state).empty()) {
    if (const auto restored = m_instance->restore_sequences(passage.after); !restored) return restored;
  }
  (**state).sequences = std::move(passage.after.sequences);
  passage.after = std::move(**state);
  return {};
}

/// Runs up once more from a clean S0.
Result<void> Course::learn_noise_of_up(Passage& passage) {
  if (passage.up_noise) return {};
  const auto clean = m_ground.at(passage.index);
  if (!clean) return failed(clean);
  const auto before = (*clean)->read_state(&passage.before, everything());
  if (!before) return failed(before);
  const auto up = run(**clean, *passage.migration, Side::up, Observe::no);
  if (!up) return failed(up);
  const auto after = (*clean)->read_state(&passage.after, everything());
  if (!after) return failed(after);
  passage.inherited = engine::compare(passage.before, *before);
  passage.up_noise = engine::without(engine::compare(passage.after, *after), passage.inherited);
  passage.record->up_not_deterministic = *passage.up_noise;
  add(m_noise, passage.record->up_not_deterministic);
  return {};
}

/// Of what S3 has otherwise than S1, how much two identical runs of up do differently anyway.
Result<void> Course::examine_again(Passage& passage, record::StateDifference difference) {
  auto& record = *passage.record;
  if (only_column_order(difference)) {
    passage.astray = true;
    record.again_difference = std::move(difference);
    return {};
  }
  if (const auto learnt = learn_noise_of_up(passage); !learnt) return learnt;
  difference = engine::without(std::move(difference), *passage.up_noise);
  // A view over a frozen 'now' that up makes once more: the clean S0 had it otherwise already, which hides it
  // from the noise of up itself.
  record.again_difference = engine::without(difference, passage.inherited);
  add(record.up_not_deterministic, engine::without(std::move(difference), record.again_difference));
  passage.astray = !record.again_difference.empty();
  return {};
}

}  // namespace lockkeeper::rehearsal
