#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "check/describe.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

std::string tables_of(const std::vector<record::ObjectDifference>& objects) {
  std::set<std::string> tables;
  for (const record::ObjectDifference& object : objects) tables.insert(object.parent);
  return join({tables.begin(), tables.end()}, ", ");
}

void report(const record::MigrationRecord& migration, record::Side side,
            const std::vector<record::ObjectDifference>& order, std::vector<record::Finding>& findings) {
  if (order.empty()) return;
  const std::string message =
      side == record::Side::down
          ? fmt::format("after down the columns of {} stand in another order than before up",
                        tables_of(order))
          : fmt::format("up, run again after down, puts the columns of {} in another order",
                        tables_of(order));
  record::Finding finding = finding_of(k_column_order_changed, migration, side, message);
  finding.evidence = object_lines(order, Later::after_down);
  findings.push_back(std::move(finding));
}

void find_column_order_changed(const record::Run& run, const scenario::Scenario&,
                               std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    if (migration.down_did_nothing) continue;
    const auto back = part_order(migration.back_difference.objects).order;
    report(migration, record::Side::down, back, findings);
    // Up again keeps the order that down left: said once is enough.
    if (back.empty())
      report(migration, record::Side::up, part_order(migration.again_difference.objects).order, findings);
  }
}

}  // namespace

constinit const Rule k_column_order_changed{
    .id = "column-order-changed",
    .group = "round trip",
    .level = record::Level::note,
    .summary = "a table's columns stand in another order after the round trip",
    .why =
        "PostgreSQL adds columns at the end. INSERT without a column list, SELECT * by position and COPY "
        "between "
        "databases then mix columns up; whoever names columns notices nothing.",
    .advice =
        "name columns in INSERT, SELECT and COPY; where the order matters, rename the column away in up "
        "instead of "
        "dropping it",
    .bad = R"(-- up
ALTER TABLE users DROP COLUMN nick;
-- down: nick stood second, and stands last now
ALTER TABLE users ADD COLUMN nick text;)",
    .good = R"(-- up
ALTER TABLE users RENAME COLUMN nick TO nick_unused;
-- down
ALTER TABLE users RENAME COLUMN nick_unused TO nick;)",
    .find = find_column_order_changed,
};

}  // namespace lockkeeper::check
