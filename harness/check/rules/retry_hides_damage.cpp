#include <fmt/format.h>

#include "base/text.h"
#include "check/describe.h"
#include "check/finding.h"
#include "check/interruptions.h"
#include "check/rules/rules.h"
#include "record/names.h"

namespace lockkeeper::check {

namespace {

void find_hidden(const record::MigrationRecord& migration, record::Side side,
                 std::vector<record::Finding>& findings) {
  const record::Interruption* first = nullptr;
  std::vector<std::string> evidence;
  for (const record::Interruption& one : migration.interruptions) {
    if (one.side != side || one.retry_error || one.retry_difference.empty()) continue;
    if (first == nullptr) {
      first = &one;
      evidence = object_lines(one.retry_difference.objects, later_of(side));
      for (std::string& line : data_lines(one.retry_difference.data)) evidence.push_back(std::move(line));
    } else {
      evidence.push_back(
          fmt::format("{}: {}", stopped_where(one), what_differs(one.retry_difference, later_of(side))));
    }
  }
  if (first == nullptr) return;
  record::Finding finding =
      finding_of(k_retry_hides_damage, migration, side,
                 fmt::format("{}, {} is run again and says that all went well, but the end is another: {}",
                             stopped_where(*first), record::name_of(side),
                             what_differs(first->retry_difference, later_of(side))));
  // A way back is driven by people, who look.
  if (side == record::Side::down) finding.level = record::Level::warning;
  if (first->location) finding.location = first->location;
  finding.evidence = std::move(evidence);
  findings.push_back(std::move(finding));
}

void find_retry_hides_damage(const record::Run& run, const scenario::Scenario&,
                             std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    for (const record::Side side : {record::Side::up, record::Side::down})
      find_hidden(migration, side, findings);
  }
}

}  // namespace

constinit const Rule k_retry_hides_damage{
    .id = "retry-hides-damage",
    .group = "interruption",
    .level = record::Level::error,
    .summary =
        "stopped half-way, the retry of a side reports success, but does not end where an undisturbed run "
        "ends (of a way back: a warning)",
    .why =
        "IF NOT EXISTS asks for a name, not for what stands behind it: an index that is INVALID since the "
        "first "
        "attempt, a table without its second column, a sum that is now counted twice. Nobody looks again at "
        "what "
        "was reported as done.",
    .advice =
        "put all of it into one transaction; where that cannot be, drop what may be half-made before making "
        "it "
        "(DROP INDEX CONCURRENTLY IF EXISTS), and let updates name exactly the rows that are still to be "
        "changed",
    .bad = R"(-- up, statement by statement: run twice, it raises twice
UPDATE products SET price_cents = price_cents + 100;
ALTER TABLE products ADD COLUMN IF NOT EXISTS raised boolean NOT NULL DEFAULT true;)",
    .good = R"(-- up, in one transaction
ALTER TABLE products ADD COLUMN raised boolean NOT NULL DEFAULT true;
UPDATE products SET price_cents = price_cents + 100;)",
    .find = find_retry_hides_damage,
};

}  // namespace lockkeeper::check
