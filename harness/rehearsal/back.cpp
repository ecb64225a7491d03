#include "rehearsal/course.h"

/// Stage 2, back: S1 → down → S2, in a new session. S2 must equal S0.
namespace lockkeeper::rehearsal {

using engine::Observe;
using record::Side;
using record::Stage;

Result<Course::Ending> Course::back(Passage& passage) {
  auto& record = *passage.record;
  const auto skip = [&](Stage stage, const std::string& reason) {
    record.skipped.push_back({stage, reason});
  };
  if (!passage.migration->down_path) {
    skip(Stage::back, "no down side");
    skip(Stage::again, "no down side");
    m_floor = passage.index;
    m_floor_state = passage.after;
    return Ending::stopped;
  }
  const auto script = passage.migration->down();
  if (!script) return failed(script);
  record.down_is_empty = script->empty() && !passage.migration->command;
  if (record.down_is_empty) {
    skip(Stage::back, "the down side is empty");
    skip(Stage::again, "the down side is empty");
    return Ending::stopped;
  }
  auto outcome = run(*m_instance, *passage.migration, Side::down, Observe::yes);
  if (!outcome) return failed(outcome);
  auto& back = record.back.emplace(std::move(outcome->run));
  // What neither up nor down touched is as it was before both, though S1 may have held it under other
  // columns.
  auto state = state_after(back, passage.after, outcome->touched,
                           {&passage.before, united(passage.touched, outcome->touched)});
  if (!state) return failed(state);
  if (const auto noted = note_leaks(back); !noted) return failed(noted);
  if (back.error) {
    skip(Stage::again, "down fails");
    passage.astray = !*state || !engine::compare(passage.after, **state).empty();
    return Ending::stopped;
  }
  passage.back = std::move(**state);
  passage.touched_back = std::move(outcome->touched);
  passage.back_ran = true;
  record.down_did_nothing =
      !record.forward_change.empty() && engine::compare(passage.after, passage.back).empty();
  record.sequence_moves = engine::compare_sequences(passage.before, passage.back);
  const auto observed = observe_invariants(record::Moment::after_down, passage.migration->version);
  if (!observed) return failed(observed);
  auto difference = engine::compare(passage.before, passage.back);
  if (record.down_did_nothing) {
    record.back_difference = std::move(difference);
    skip(Stage::again, "down does nothing");
    return Ending::stopped;
  }
  if (const auto examined = examine_back(passage, std::move(difference)); !examined) return failed(examined);
  return Ending::done;
}

/// Of what S2 has otherwise than S0, how much is residue: the migration runs once more from a clean S0, and
/// what two identical runs do differently is left out.
Result<void> Course::examine_back(Passage& passage, record::StateDifference difference) {
  auto& record = *passage.record;
  if (difference.empty()) return {};
  if (only_column_order(difference)) {
    record.back_difference = std::move(difference);
    return {};
  }
  auto clean = m_ground.at(passage.index);
  if (!clean) return failed(clean);
  const auto before = (*clean)->read_state(&passage.before, everything());
  if (!before) return failed(before);
  passage.inherited = engine::compare(passage.before, *before);
  const auto& inherited = passage.inherited;
  if (const auto counted = count_rows(**clean, inherited, difference); !counted) return failed(counted);
  const auto up = run(**clean, *passage.migration, Side::up, Observe::no);
  if (!up) return failed(up);
  const auto after = (*clean)->read_state(&passage.after, everything());
  if (!after) return failed(after);
  passage.up_noise = engine::without(engine::compare(passage.after, *after), inherited);
  const auto down = run(**clean, *passage.migration, Side::down, Observe::no);
  if (!down) return failed(down);
  const auto back = (*clean)->read_state(&passage.back, everything());
  if (!back) return failed(back);
  // Residue is what both runs left otherwise than they found it, and both alike: also where an earlier
  // migration's noise made them find different things.
  auto noise = engine::compare(passage.back, *back);
  const auto clean_difference = engine::compare(*before, *back);
  const auto only_here = engine::without(difference, clean_difference);
  record.back_difference = engine::without(engine::without(std::move(difference), only_here), noise);
  noise = engine::without(std::move(noise), inherited);
  record.up_not_deterministic = *passage.up_noise;
  record.down_not_deterministic = engine::without(std::move(noise), *passage.up_noise);
  add(m_noise, record.up_not_deterministic);
  add(m_noise, record.down_not_deterministic);
  return {};
}

/// Counts lost, added and changed rows by key, with S0 standing beside S2.
Result<void> Course::count_rows(engine::Instance& clean, const record::StateDifference& inherited,
                                record::StateDifference& difference) {
  for (auto& data : difference.data) {
    const auto same_table = [&](const record::DataDifference& other) { return other.table == data.table; };
    if (std::any_of(inherited.data.begin(), inherited.data.end(), same_table)) continue;
    const auto rows = m_instance->compare_rows(clean, data.table);
    if (!rows) return failed(rows);
    if (!*rows) continue;
    data.rows_lost = (*rows)->rows_lost;
    data.rows_added = (*rows)->rows_added;
    data.rows_changed = (*rows)->rows_changed;
    data.sample_key = (*rows)->sample_key;
  }
  return {};
}

}  // namespace lockkeeper::rehearsal
