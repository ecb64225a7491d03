#pragma once

#include <string>
#include <utility>
#include <vector>

#include "check/rule.h"
#include "check/rules/rules.h"

/// Hand-made records for the tests of rules: one migration on trial, 0007, that passed.
namespace lockkeeper::check::sample {

inline record::StatementRecord statement(std::string text, int line = 1,
                                         const std::string& file = "m/0007_x.up.sql") {
  record::StatementRecord result;
  result.text = std::move(text);
  result.location = {file, line, 1};
  return result;
}

inline record::SideRun side(record::Side which, std::vector<record::StatementRecord> statements = {}) {
  record::SideRun run;
  run.side = which;
  run.statements = std::move(statements);
  return run;
}

inline record::MigrationRecord migration(std::string version = "0007") {
  record::MigrationRecord result;
  result.up = {"m/" + version + "_x.up.sql", 0, 0};
  result.down = Location{"m/" + version + "_x.down.sql", 0, 0};
  result.version = std::move(version);
  result.name = "x";
  result.forward = side(record::Side::up);
  result.back = side(record::Side::down);
  result.again = side(record::Side::up);
  return result;
}

inline record::Run run_of(record::MigrationRecord one) {
  record::Run run;
  run.migrations.push_back(std::move(one));
  return run;
}

inline record::SqlError error(std::string sqlstate, std::string message, std::string detail = "") {
  return {std::move(sqlstate), std::move(message), std::move(detail), "", ""};
}

/// Makes the run fail at its last statement.
inline void fail(record::SideRun& run, const record::SqlError& with) {
  run.error = with;
  run.statements.back().error = with;
  run.error_location = run.statements.back().location;
}

inline record::ObjectDifference altered(std::string kind, std::string identity, std::string parent,
                                        std::vector<record::AttributeChange> attributes) {
  record::ObjectDifference difference;
  difference.kind = std::move(kind);
  difference.identity = std::move(identity);
  difference.parent = std::move(parent);
  difference.attributes = std::move(attributes);
  return difference;
}

inline record::ObjectDifference whole(record::Change change, std::string kind, std::string identity,
                                      std::string parent, std::string definition) {
  record::ObjectDifference difference;
  difference.kind = std::move(kind);
  difference.identity = std::move(identity);
  difference.parent = std::move(parent);
  difference.change = change;
  difference.definition = std::move(definition);
  return difference;
}

inline record::ObjectDifference moved_column() {
  return altered("column", "public.users.nick", "public.users", {{"position", "2", "5"}});
}

inline record::DataDifference rows(std::string table, std::int64_t before, std::int64_t after) {
  record::DataDifference difference;
  difference.table = std::move(table);
  difference.rows_before = before;
  difference.rows_after = after;
  return difference;
}

inline record::DataDifference values(std::string table, std::string column, std::int64_t changed) {
  record::DataDifference difference = rows(std::move(table), 10, 10);
  difference.change = record::DataChange::column_values;
  difference.column = std::move(column);
  difference.rows_changed = changed;
  difference.sample_key = "id=17";
  return difference;
}

inline std::vector<record::Finding> find(const Rule& rule, const record::Run& run,
                                         const scenario::Scenario& scenario = {}) {
  std::vector<record::Finding> findings;
  rule.find(run, scenario, findings);
  return findings;
}

}  // namespace lockkeeper::check::sample
