#include <algorithm>
#include <set>

#include "base/text.h"
#include "rehearsal/course.h"

/// What a program that is a migration says it would do, and what a second start of it does.
namespace lockkeeper::rehearsal {

namespace {

using engine::Observe;
using record::Change;
using record::ObjectDifference;
using record::Side;

constexpr std::size_t k_output_kept = 4000;

/// The last part of an identity, without its quotes: what a program would call it.
std::string bare_name(const std::string& identity) {
  std::string name = identity;
  if (name.ends_with('"')) {
    const std::size_t open = name.rfind('"', name.size() - 2);
    return open == std::string::npos ? name : name.substr(open + 1, name.size() - open - 2);
  }
  return name.substr(name.rfind('.') + 1);
}

bool is_part_of_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         (static_cast<unsigned char>(c) & 0x80) != 0;
}

/// Does the text hold the name as a word, whatever the case?
bool names(const std::string& text, const std::string& name) {
  const std::string wanted = lower(name);
  for (std::size_t at = text.find(wanted); at != std::string::npos; at = text.find(wanted, at + 1)) {
    const std::size_t end = at + wanted.size();
    const bool begins = at == 0 || !is_part_of_name(text[at - 1]);
    if (begins && (end >= text.size() || !is_part_of_name(text[end]))) return true;
  }
  return false;
}

/// What somebody who reads a dry run has to be told of: tables and views, and what is new or gone on tables
/// that stay. What comes with a table comes with its name.
std::vector<std::string> unannounced(const record::StateDifference& change, const std::string& output) {
  static const std::set<std::string> k_kinds = {"table",  "view",  "materialized view",
                                                "column", "index", "trigger"};
  const std::string said = lower(output);
  std::set<std::string> whole;
  for (const ObjectDifference& object : change.objects) {
    if (object.parent.empty() && object.change != Change::altered) whole.insert(object.identity);
  }
  std::vector<std::string> missing;
  for (const ObjectDifference& object : change.objects) {
    if (object.change == Change::altered || !k_kinds.contains(object.kind) || whole.contains(object.parent))
      continue;
    if (!names(said, bare_name(object.identity))) missing.push_back(object.kind + " " + object.identity);
  }
  return missing;
}

/// Its end, where it is long; never cut inside a character.
std::string tail_of(const std::string& output) {
  if (output.size() <= k_output_kept) return trimmed(output);
  std::size_t at = output.size() - k_output_kept;
  while (at < output.size() && (static_cast<unsigned char>(output[at]) & 0xC0) == 0x80) ++at;
  return trimmed(std::string_view(output).substr(at));
}

}  // namespace

Result<record::DryRun> dry_run(engine::Instance& instance, const history::Migration& migration,
                               const engine::State& before) {
  auto command = migration.dry_run(migration);
  if (!command) return failed(command);
  const auto bytes_before = instance.digest_of_bytes();
  if (!bytes_before) return failed(bytes_before);
  record::DryRun dry;
  dry.command = command->shown;
  auto outcome = instance.run_tool(request_of(std::move(*command), Side::up, migration.up_path, Observe::no));
  if (!outcome) return failed(outcome);
  dry.output = std::move(outcome->output);
  dry.error = std::move(outcome->run.error);
  const auto bytes_after = instance.digest_of_bytes();
  if (!bytes_after) return failed(bytes_after);
  const auto after = instance.read_state(&before, everything());
  if (!after) return failed(after);
  dry.change = engine::compare(before, *after);
  dry.bytes_changed = *bytes_before != *bytes_after;
  return dry;
}

/// A clean instance, and its state: what differs from run to run is another there.
Result<void> Course::start_over(std::size_t index, engine::State& state) {
  if (const auto returned = return_to(index); !returned) return returned;
  auto clean = m_instance->read_state(nullptr, everything());
  if (!clean) return failed(clean);
  state = std::move(*clean);
  return {};
}

Result<void> Course::dry_run_before(Passage& passage) {
  if (!passage.migration->dry_run) return {};
  auto dry = rehearsal::dry_run(*m_instance, *passage.migration, passage.before);
  if (!dry) return failed(dry);
  passage.record->dry_run = std::move(*dry);
  // What it did is not the up's doing.
  return passage.record->dry_run->change.empty() ? Result<void>() : start_over(passage.index, passage.before);
}

Result<void> Course::dry_run_after(Passage& passage) {
  auto& record = *passage.record;
  if (!record.dry_run) return {};
  record.unannounced = unannounced(record.forward_change, record.dry_run->output);
  auto dry = rehearsal::dry_run(*m_instance, *passage.migration, passage.after);
  if (!dry) return failed(dry);
  record.dry_run_after = std::move(*dry);
  record.dry_run->output = tail_of(record.dry_run->output);
  record.dry_run_after->output = tail_of(record.dry_run_after->output);
  return record.dry_run_after->change.empty() ? Result<void>() : start_over(passage.index + 1, passage.after);
}

/// A second start where the first has succeeded: by hand, or of a history whose authors say that it may be.
/// No tool is asked to note it twice.
Result<void> Course::run_again_at_once(Passage& passage) {
  auto& record = *passage.record;
  record.claims_rerunnable = passage.migration->claims_rerunnable || m_scenario.claims_rerunnable;
  if (!m_history.is_started_by_hand && !m_scenario.claims_rerunnable) return {};
  history::Migration unnoted = *passage.migration;
  unnoted.bookkeeping = nullptr;
  auto outcome = run(*m_instance, unnoted, Side::up, Observe::yes);
  if (!outcome) return failed(outcome);
  record.second_run = std::move(outcome->run);
  const bool whole = !m_instance->has_ended();
  auto after =
      whole ? m_instance->read_state(&passage.after, everything()) : Result<engine::State>(passage.after);
  if (!after) return failed(after);
  record.second_run_difference = engine::compare(passage.after, *after);
  // Rows get the numbers that they had.
  if (record.second_run_difference.empty()) return m_instance->restore_sequences(passage.after);
  return start_over(passage.index + 1, passage.after);
}

}  // namespace lockkeeper::rehearsal
