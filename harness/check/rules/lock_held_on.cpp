#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/locks.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

constexpr std::size_t k_most_locks = 8;

void find_lock_held_on(const record::Run& run, const scenario::Scenario& scenario,
                       std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    for (const NamedRun& side : runs_of(migration)) {
      if (migration.again && side.run == &*migration.again) continue;
      for (const Held& held : held_on(*side.run, scenario)) {
        std::vector<std::string> tables;
        for (const Held::Lock& lock : held.locks) tables.push_back(lock.relation);
        record::Finding finding = finding_of(
            k_lock_held_on, migration, side.side,
            fmt::format("{} stay{} locked while {}: {} from the first lock to the end of the transaction",
                        some_of(tables), tables.size() == 1 ? "s" : "", held.why, human(held.held)));
        blame(finding, *held.slow);
        for (std::size_t i = 0; i < held.locks.size() && i < k_most_locks; ++i) {
          const Held::Lock& lock = held.locks[i];
          finding.evidence.push_back(
              fmt::format("{}: {} since {}:{} '{}'", lock.relation, lock.mode, lock.statement->location.line,
                          lock.statement->location.column, abridged(lock.statement->text, 80)));
        }
        if (held.locks.size() > k_most_locks)
          finding.evidence.push_back(fmt::format("and {} more", held.locks.size() - k_most_locks));
        findings.push_back(std::move(finding));
      }
    }
  }
}

}  // namespace

constinit const Rule k_lock_held_on{
    .id = "lock-held-on",
    .group = "locks and traffic",
    .level = record::Level::warning,
    .summary = "a strong lock is kept while later statements of the transaction do slow work on other tables",
    .why =
        "PostgreSQL lets go of a lock only when its transaction ends. A change that takes a millisecond "
        "keeps "
        "everybody waiting for minutes when something slow comes behind it.",
    .advice =
        "put the slow statements into a migration, and so a transaction, of their own, or before the one "
        "that "
        "takes the lock",
    .bad = R"(-- up, in one transaction: nobody reads users until orders is filled
ALTER TABLE users ADD COLUMN tier text;
UPDATE orders SET tier = 'basic';)",
    .good = R"(-- 0001 up
ALTER TABLE users ADD COLUMN tier text;
-- 0002 up
UPDATE orders SET tier = 'basic';)",
    .find = find_lock_held_on,
};

}  // namespace lockkeeper::check
