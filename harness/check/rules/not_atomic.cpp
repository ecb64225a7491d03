#include <fmt/format.h>

#include "base/text.h"
#include "check/describe.h"
#include "check/finding.h"
#include "check/interruptions.h"
#include "check/rules/rules.h"
#include "record/names.h"

namespace lockkeeper::check {

namespace {

/// One finding a side: the places are its evidence.
void find_half_way(const record::MigrationRecord& migration, record::Side side,
                   std::vector<record::Finding>& findings) {
  const record::Interruption* first = nullptr;
  std::vector<std::string> evidence;
  bool mended = true;
  for (const record::Interruption& one : migration.interruptions) {
    if (one.side != side || !one.error || one.left.empty() || one.missing.empty()) continue;
    if (first == nullptr) first = &one;
    mended = mended && !one.retry_error && one.retry_difference.empty();
    evidence.push_back(fmt::format("{}: {}", stopped_where(one), what_differs(one.left, later_of(side))));
  }
  if (first == nullptr) return;
  record::Finding finding =
      finding_of(k_not_atomic, migration, side,
                 fmt::format("{}, {} leaves the database half-way: {}", stopped_where(*first),
                             record::name_of(side), what_differs(first->left, later_of(side))));
  if (first->location) finding.location = first->location;
  if (mended && first->retried) finding.message += "; run again, it gets through";
  // A way back is driven by people, who look.
  if ((mended && first->retried) || side == record::Side::down) finding.level = record::Level::note;
  if (evidence.size() > 1) finding.evidence = std::move(evidence);
  findings.push_back(std::move(finding));
}

void find_not_atomic(const record::Run& run, const scenario::Scenario&,
                     std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    for (const record::Side side : {record::Side::up, record::Side::down})
      find_half_way(migration, side, findings);
  }
}

}  // namespace

constinit const Rule k_not_atomic{
    .id = "not-atomic",
    .group = "interruption",
    .level = record::Level::warning,
    .summary =
        "stopped half-way, a side leaves the database neither as it was nor as it should be (a note of a "
        "way back, and where running it again mends that)",
    .why =
        "A deployment is killed, a failover ends every session, a lock is not had in time. What has "
        "committed "
        "by then stays: the old release meets columns that it does not know, and whoever is on duty has to "
        "find "
        "out how far it came.",
    .advice =
        "let one transaction hold all of it; what cannot run in one (CREATE INDEX CONCURRENTLY, VACUUM, a "
        "backfill in batches) goes into a migration of its own that may be run again",
    .bad = R"(-- up, statement by statement
ALTER TABLE users ADD COLUMN locale text;
UPDATE users SET locale = 'en';
CREATE INDEX CONCURRENTLY users_locale_idx ON users (locale);)",
    .good = R"(-- 0001 up, in one transaction
ALTER TABLE users ADD COLUMN locale text;
UPDATE users SET locale = 'en';
-- 0002 up, alone
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_locale_idx ON users (locale);)",
    .find = find_not_atomic,
};

}  // namespace lockkeeper::check
