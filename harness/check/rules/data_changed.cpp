#include <algorithm>

#include <fmt/format.h>

#include "check/describe.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

using record::DataChange;
using record::DataDifference;

/// More rows than before and none known to be gone or changed: the migration only inserted. Every column's
/// content differs then, which says nothing of the rows that were there.
bool only_inserted(const DataDifference& difference) {
  const bool none_lost =
      difference.rows_lost ? *difference.rows_lost == 0 : difference.rows_after > difference.rows_before;
  return none_lost && difference.rows_changed.value_or(0) == 0 &&
         difference.rows_after > difference.rows_before;
}

/// A table that up dropped or made has no columns that still exist; what it takes is up's declared purpose.
bool table_stayed(const record::MigrationRecord& migration, const std::string& table) {
  return std::none_of(migration.forward_change.objects.begin(), migration.forward_change.objects.end(),
                      [&](const record::ObjectDifference& object) {
                        return object.identity == table && object.change != record::Change::altered;
                      });
}

std::vector<DataDifference> judged(const record::MigrationRecord& migration) {
  std::vector<std::string> grown;
  for (const DataDifference& difference : migration.forward_change.data) {
    if (difference.change == DataChange::table_rows && only_inserted(difference))
      grown.push_back(difference.table);
  }
  std::vector<DataDifference> result;
  for (const DataDifference& difference : migration.forward_change.data) {
    const bool in_grown = std::find(grown.begin(), grown.end(), difference.table) != grown.end();
    if (in_grown || only_inserted(difference) || !table_stayed(migration, difference.table)) continue;
    result.push_back(difference);
  }
  return result;
}

/// The last statement that wrote rows and names the table.
void blame_writer(record::Finding& finding, const record::MigrationRecord& migration,
                  const std::string& table) {
  if (!migration.forward) return;
  record::SideRun writers = *migration.forward;
  std::erase_if(writers.statements,
                [](const record::StatementRecord& s) { return s.rows_changed.value_or(0) == 0; });
  if (const auto* statement = statement_naming(writers, {table, ""})) blame(finding, *statement);
}

void find_data_changed(const record::Run& run, const scenario::Scenario&,
                       std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    const std::vector<DataDifference> data = judged(migration);
    if (data.empty()) continue;
    record::Finding finding =
        finding_of(k_data_changed, migration, record::Side::up,
                   fmt::format("up changes data that was there before: {}", data_summary(data)));
    finding.evidence = data_lines(data);
    blame_writer(finding, migration, data.front().table);
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_data_changed{
    .id = "data-changed",
    .group = "round trip",
    .level = record::Level::warning,
    .summary = "up removes or changes rows or values that were there before, and nothing declares it",
    .why =
        "A schema change that also deletes or rewrites rows is easily overlooked in review, and no down "
        "brings them "
        "back by itself.",
    .advice =
        "if it is meant, declare it in the migration: -- lockkeeper: allow data-changed: <reason>; otherwise "
        "narrow "
        "the statement",
    .bad = R"(-- up: removes the duplicates without a word
DELETE FROM users a USING users b WHERE a.email = b.email AND a.id > b.id;
CREATE UNIQUE INDEX users_email_key ON users (email);
-- down
DROP INDEX users_email_key;)",
    .good = R"(-- up
-- lockkeeper: allow data-changed: duplicates are kept in users_merged, support has the list
CREATE TABLE users_merged AS
  SELECT a.* FROM users a WHERE EXISTS (SELECT FROM users b WHERE a.email = b.email AND a.id > b.id);
DELETE FROM users a USING users b WHERE a.email = b.email AND a.id > b.id;
CREATE UNIQUE INDEX users_email_key ON users (email);
-- down
DROP INDEX users_email_key;
INSERT INTO users SELECT * FROM users_merged;
DROP TABLE users_merged;)",
    .find = find_data_changed,
};

}  // namespace lockkeeper::check
