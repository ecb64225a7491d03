#include "rehearsal/together.h"

#include <algorithm>

#include <fmt/format.h>

#include "rehearsal/course.h"

/// All ups of the trial in one transaction, where the tool puts all that is pending into one: what passes
/// migration by migration can fail so (a new label of an enum that is used, 55P04).
namespace lockkeeper::rehearsal {

Result<JoinedUps> join_ups(const history::History& history, const std::vector<std::size_t>& indexes) {
  JoinedUps joined;
  std::vector<sql::Part> parts;
  std::size_t statements = 0;
  for (const std::size_t index : indexes) {
    const auto& migration = history.migrations[index];
    auto script = migration.up();
    if (!script) return failed(script);
    for (sql::Part& part : script->parts) {
      statements += part.statements.size();
      parts.push_back(std::move(part));
    }
    joined.ends.push_back(statements);
    const std::string note = migration.note_of(record::Side::up);
    if (!note.empty()) joined.bookkeeping += (joined.bookkeeping.empty() ? "" : "; ") + note;
  }
  joined.script.parts = {sql::in_one_transaction(
      std::move(parts), fmt::format("{} runs all that is pending in one", history.format))};
  return joined;
}

Result<void> Course::go_up_together() {
  const auto& judged = m_trial.judged;
  const bool each_passed = m_passed.size() == judged.size();
  if (!m_history.all_in_one || judged.size() < 2 || !each_passed || !m_trial.in_one_piece()) return {};
  if (m_options.progress) m_options.progress("all ups of the trial in one transaction");
  const auto instance = m_ground.base();
  if (!instance) return failed(instance);
  return m_history.migrations[judged.front()].command ? go_up_by_tool(**instance) : go_up_joined(**instance);
}

/// The tool is asked for what comes last, and brings the others in with it.
Result<void> Course::go_up_by_tool(engine::Instance& instance) {
  auto& together = m_run.together;
  const auto& judged = m_trial.judged;
  for (const std::size_t index : m_history.steps_between(judged.front(), judged.back() + 1)) {
    const auto& migration = m_history.migrations[index];
    const auto outcome = run(instance, migration, record::Side::up, engine::Observe::no);
    if (!outcome) return failed(outcome);
    together.ran = true;
    together.duration += outcome->run.duration;
    if (!outcome->run.error) continue;
    together.error = outcome->run.error;
    together.error_location = outcome->run.error_location;
    together.stops_at = migration.version;
    return {};
  }
  return {};
}

Result<void> Course::go_up_joined(engine::Instance& instance) {
  const auto& judged = m_trial.judged;
  const auto joined = join_ups(m_history, judged);
  if (!joined) return failed(joined);
  engine::SideRequest request;
  request.script = &joined->script;
  request.bookkeeping = joined->bookkeeping;
  request.statement_timeout = m_options.statement_timeout;
  request.observe = engine::Observe::no;
  const auto outcome = instance.run_side(request);
  if (!outcome) return failed(outcome);
  auto& together = m_run.together;
  together.ran = true;
  together.duration = outcome->run.duration;
  if (!outcome->run.error) return {};
  together.error = outcome->run.error;
  together.error_location = outcome->run.error_location;
  const std::size_t ran = outcome->run.statements.size();
  const auto end = std::lower_bound(joined->ends.begin(), joined->ends.end(), ran);
  const auto at =
      std::min<std::size_t>(static_cast<std::size_t>(end - joined->ends.begin()), judged.size() - 1);
  together.stops_at = m_history.migrations[judged[at]].version;
  return {};
}

}  // namespace lockkeeper::rehearsal
