#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/locks.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

using record::StatementRecord;

bool writes_rows(const std::string& mode) {
  return mode == "RowExclusiveLock";
}

/// Rows were written first, and then the whole table is wanted: whoever waits for one of those rows, and has
/// written to the table before, waits for us and we for him.
void find_upgrades(const record::MigrationRecord& migration, const NamedRun& side,
                   std::vector<record::Finding>& findings) {
  std::map<std::pair<std::int64_t, std::string>, const StatementRecord*> written;
  std::set<std::pair<std::int64_t, std::string>> strong;
  for (const StatementRecord& statement : side.run->statements) {
    if (!statement.locks_observed) continue;
    for (const record::LockTaken& lock : statement.locks) {
      const std::pair key(statement.transaction, lock.relation);
      if (stops(lock) != Stops::nobody && strong.insert(key).second && written.contains(key) &&
          written[key] != &statement) {
        const StatementRecord& before = *written[key];
        record::Finding finding =
            finding_of(k_deadlock_prone, migration, side.side,
                       fmt::format("rows of {} are written before the same transaction wants {} on it",
                                   lock.relation, lock.mode));
        blame(finding, statement);
        finding.evidence.push_back(fmt::format("written at {}:{} '{}'", before.location.line,
                                               before.location.column, abridged(before.text, 80)));
        findings.push_back(std::move(finding));
      }
      if (writes_rows(lock.mode) && statement.rows_changed.value_or(0) > 0) written.emplace(key, &statement);
    }
  }
}

/// Existing tables that one transaction of up locks strongly, in order, each pair with the migration.
using Pairs = std::map<std::pair<std::string, std::string>, const record::MigrationRecord*>;

std::vector<std::vector<std::pair<std::string, const StatementRecord*>>> orders_of(
    const record::SideRun& run) {
  std::map<std::int64_t, std::vector<std::pair<std::string, const StatementRecord*>>> orders;
  std::set<std::pair<std::int64_t, std::string>> seen;
  for (const StatementRecord& statement : run.statements) {
    for (const record::LockTaken& lock : statement.locks) {
      if (stops(lock) == Stops::nobody) continue;
      if (seen.insert({statement.transaction, lock.relation}).second)
        orders[statement.transaction].emplace_back(lock.relation, &statement);
    }
  }
  std::vector<std::vector<std::pair<std::string, const StatementRecord*>>> result;
  for (auto& [number, order] : orders) result.push_back(std::move(order));
  return result;
}

/// One finding a migration: the first pair that an earlier one takes the other way round.
void find_opposite(const record::MigrationRecord& migration, Pairs& pairs,
                   std::vector<record::Finding>& findings) {
  if (!migration.forward) return;
  bool told = false;
  for (const auto& order : orders_of(*migration.forward)) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      for (std::size_t j = i + 1; j < order.size(); ++j) {
        // Which of a statement's own locks came first is not known.
        if (order[i].second == order[j].second) continue;
        const auto opposite = pairs.find({order[j].first, order[i].first});
        if (opposite != pairs.end() && opposite->second != &migration && !told) {
          record::Finding finding =
              finding_of(k_deadlock_prone, migration, record::Side::up,
                         fmt::format("up locks {} and then {}, and {} locks them the other way round",
                                     order[i].first, order[j].first, opposite->second->version));
          finding.level = record::Level::note;
          blame(finding, *order[j].second);
          findings.push_back(std::move(finding));
          told = true;
        }
        pairs.emplace(std::pair(order[i].first, order[j].first), &migration);
      }
    }
  }
}

void find_deadlock_prone(const record::Run& run, const scenario::Scenario&,
                         std::vector<record::Finding>& findings) {
  Pairs pairs;
  for (const record::MigrationRecord& migration : run.migrations) {
    for (const NamedRun& side : runs_of(migration)) {
      if (!migration.again || side.run != &*migration.again) find_upgrades(migration, side, findings);
    }
    find_opposite(migration, pairs, findings);
  }
}

}  // namespace

constinit const Rule k_deadlock_prone{
    .id = "deadlock-prone",
    .group = "locks and traffic",
    .level = record::Level::warning,
    .summary =
        "a transaction writes rows of a table before it wants a strong lock on it (a note: two ups of a "
        "history "
        "lock the same tables in opposite order)",
    .why =
        "Somebody else has written to the table too, and now waits for a row that the migration has written; "
        "the migration waits for him, since its lock lets no writer in. The server ends one of the two: "
        "'deadlock detected'. Two that lock the same tables in opposite order do the same to each other when "
        "they run at the same time.",
    .advice =
        "take the strong lock first (ALTER TABLE before UPDATE), or better, do the two in transactions of "
        "their "
        "own; lock tables in one order everywhere",
    .bad = R"(-- up, in one transaction
UPDATE users SET tier = 'basic' WHERE tier IS NULL;
ALTER TABLE users ADD CONSTRAINT users_tier CHECK (tier <> '') NOT VALID;)",
    .good = R"(-- 0001 up
UPDATE users SET tier = 'basic' WHERE tier IS NULL;
-- 0002 up
ALTER TABLE users ADD CONSTRAINT users_tier CHECK (tier <> '') NOT VALID;)",
    .find = find_deadlock_prone,
};

}  // namespace lockkeeper::check
