#include "history/base.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include <fmt/format.h>

namespace lockkeeper::history {

namespace {

using record::HistoryFact;
using record::HistoryFactKind;

/// Where a migration's up side begins, for a person to open.
Location place_of(const Migration& migration) {
  return {migration.up_path, std::max(migration.up_line, 1), 1};
}

/// Do both send the same? Comments and white space between statements do not count.
bool same_statements(const Migration& a, const Migration& b) {
  const auto left = a.up();
  const auto right = b.up();
  if (!left || !right) return false;
  const auto texts = [](const sql::Script& script) {
    std::vector<std::string_view> all;
    for (const sql::Part& part : script.parts) {
      for (const sql::Statement& statement : part.statements) all.push_back(statement.text);
    }
    return all;
  };
  return texts(*left) == texts(*right);
}

/// A tool that keeps a checksum takes a comment for a change too.
bool edited(Migration now, Migration before, bool by_checksum) {
  // Settings lie outside of the folder, and the base is that folder alone.
  now.up_settings.clear();
  before.up_settings.clear();
  const auto hash = now.hash_of_up();
  const auto old_hash = before.hash_of_up();
  if (hash && old_hash && *hash == *old_hash) return false;
  return by_checksum || !same_statements(now, before);
}

}  // namespace

Trial trial_beside(History& history, const History& base, const std::string& name) {
  std::map<std::string_view, const Migration*> known;
  for (const Migration& migration : base.migrations) known.emplace(migration.version, &migration);
  Trial trial;
  std::set<std::string_view> found;
  std::set<std::string_view> again;  ///< that the tool runs once more, since they have changed
  std::vector<const Migration*> waiting;
  for (const Migration& migration : history.migrations) {
    const auto before = known.find(migration.version);
    if (before == known.end()) {
      waiting.push_back(&migration);
      continue;
    }
    const bool changed = edited(migration, *before->second, history.habits.keeps_checksums);
    if (changed && migration.runs_when_changed) {
      again.insert(before->first);
      continue;
    }
    found.insert(before->first);
    if (history.habits.late != Habits::Late::no_matter) {
      for (const Migration* late : waiting) {
        trial.facts.push_back({HistoryFactKind::version_out_of_order, late->version, place_of(*late),
                               fmt::format("stands before {}, which {} has already", migration.version, name),
                               history.habits.when_out_of_order()});
      }
      waiting.clear();
    }
    if (!changed) continue;
    trial.facts.push_back({HistoryFactKind::edited, migration.version, place_of(migration),
                           fmt::format("its up is not what {} has", name), history.habits.when_edited});
  }
  for (const Migration& migration : base.migrations) {
    if (found.contains(migration.version) || again.contains(migration.version)) continue;
    trial.facts.push_back({HistoryFactKind::edited, migration.version, Location{history.directory, 0, 0},
                           fmt::format("{} has it, and it is not here any more", name),
                           history.habits.when_edited});
  }
  // In production what the base has is in already.
  const auto is_known = [&](const Migration& migration) { return found.contains(migration.version); };
  if (history.habits.late == Habits::Late::applied || history.habits.late == Habits::Late::no_matter)
    std::stable_partition(history.migrations.begin(), history.migrations.end(), is_known);
  for (std::size_t i = 0; i < history.migrations.size(); ++i) {
    if (!is_known(history.migrations[i])) trial.judged.push_back(i);
  }
  trial.first = trial.judged.empty() ? history.migrations.size() : trial.judged.front();
  return trial;
}

}  // namespace lockkeeper::history
