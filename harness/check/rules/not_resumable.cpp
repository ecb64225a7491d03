#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/interruptions.h"
#include "check/rules/rules.h"
#include "record/names.h"

namespace lockkeeper::check {

namespace {

void find_refused_retry(const record::MigrationRecord& migration, record::Side side,
                        std::vector<record::Finding>& findings) {
  const record::Interruption* first = nullptr;
  std::vector<std::string> evidence;
  for (const record::Interruption& one : migration.interruptions) {
    if (one.side != side || !one.retry_error) continue;
    if (first == nullptr) first = &one;
    evidence.push_back(fmt::format("{}: {}", stopped_where(one), error_text(*one.retry_error)));
  }
  if (first == nullptr) return;
  record::Finding finding = finding_of(k_not_resumable, migration, side,
                                       fmt::format("{}, {} cannot be run again: {}", stopped_where(*first),
                                                   record::name_of(side), error_text(*first->retry_error)));
  // A way back is driven by people, who look.
  if (side == record::Side::down) finding.level = record::Level::warning;
  // All of it was in, and only the program's own note was not: that is the program's way, not the
  // migration's.
  if (!first->left.empty() && first->missing.empty()) {
    finding.level = record::Level::warning;
    finding.evidence.emplace_back("all of it was in: what the program had not done is to note so");
  }
  if (first->retry_location) finding.location = first->retry_location;
  if (evidence.size() > 1) finding.evidence.insert(finding.evidence.end(), evidence.begin(), evidence.end());
  findings.push_back(std::move(finding));
}

void find_not_resumable(const record::Run& run, const scenario::Scenario&,
                        std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    for (const record::Side side : {record::Side::up, record::Side::down})
      find_refused_retry(migration, side, findings);
  }
}

}  // namespace

constinit const Rule k_not_resumable{
    .id = "not-resumable",
    .group = "interruption",
    .level = record::Level::error,
    .summary = "stopped half-way, the retry of a side fails (of a way back: a warning)",
    .why =
        "The pipeline starts the failed deployment again, as pipelines do, and meets what the first attempt "
        "left. Now somebody has to repair production by hand before anything can be released.",
    .advice =
        "put all of it into one transaction; where that cannot be, one statement to a migration, or "
        "statements "
        "that look first: IF NOT EXISTS, DROP INDEX CONCURRENTLY IF EXISTS before CREATE INDEX CONCURRENTLY, "
        "updates that take only rows that are still to be changed",
    .bad = R"(-- up, statement by statement: the second attempt fails at the first
ALTER TABLE users ADD COLUMN locale text;
CREATE INDEX CONCURRENTLY users_locale_idx ON users (locale);)",
    .good = R"(-- up, statement by statement
ALTER TABLE users ADD COLUMN IF NOT EXISTS locale text;
DROP INDEX CONCURRENTLY IF EXISTS users_locale_idx;
CREATE INDEX CONCURRENTLY users_locale_idx ON users (locale);)",
    .find = find_not_resumable,
};

}  // namespace lockkeeper::check
