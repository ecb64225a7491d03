#include "check/finding.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "check/identity.h"

namespace lockkeeper::check {

namespace {

constexpr std::size_t k_statement_limit = 120;

Location first_line(Location location) {
  if (location.line == 0) location.line = 1;
  return location;
}

void add_line(std::vector<std::string>& evidence, std::string_view label, const std::string& text) {
  if (text.empty()) return;
  for (const std::string& line : split(text, '\n')) {
    if (!trimmed(line).empty()) evidence.push_back(fmt::format("{}: {}", label, trimmed(line)));
  }
}

const record::StatementRecord* failed_statement(const record::SideRun& run) {
  const auto found =
      std::find_if(run.statements.begin(), run.statements.end(),
                   [](const record::StatementRecord& statement) { return statement.error.has_value(); });
  return found == run.statements.end() ? nullptr : &*found;
}

}  // namespace

record::Finding finding_of(const Rule& rule, std::string message) {
  record::Finding finding;
  finding.rule = rule.id;
  finding.level = rule.level;
  finding.message = std::move(message);
  finding.advice = rule.advice;
  return finding;
}

record::Finding finding_of(const Rule& rule, const record::MigrationRecord& migration, record::Side side,
                           std::string message) {
  record::Finding finding = finding_of(rule, std::move(message));
  finding.migration = migration.version;
  finding.side = side;
  finding.location =
      first_line(side == record::Side::down && migration.down ? *migration.down : migration.up);
  return finding;
}

void blame(record::Finding& finding, const record::StatementRecord& statement) {
  finding.statement = abridged(statement.text, k_statement_limit);
  if (!statement.location.file.empty()) finding.location = statement.location;
}

void blame_error(record::Finding& finding, const record::SideRun& run) {
  const record::StatementRecord* statement = failed_statement(run);
  if (statement != nullptr) blame(finding, *statement);
  if (run.error_location) finding.location = run.error_location;
  if (run.error) {
    add_line(finding.evidence, "detail", run.error->detail);
    add_line(finding.evidence, "server's hint", run.error->hint);
    add_line(finding.evidence, "context", run.error->context);
  }
  if (statement != nullptr) {
    finding.evidence.push_back(fmt::format("stopped at statement {} of the {} that were sent",
                                           statement - run.statements.data() + 1, run.statements.size()));
  } else if (run.error && run.error->message.find(" ended with exit code ") == std::string::npos) {
    finding.evidence.push_back("no single statement failed: the error came with COMMIT or the connection");
  }
  if (run.shape_reason.empty()) return;
  const bool together = run.shape == record::TransactionShape::one_transaction ||
                        run.shape == record::TransactionShape::one_message;
  finding.evidence.push_back(
      fmt::format("{}: {}", together ? "in one transaction" : "not in one transaction", run.shape_reason));
}

const record::StatementRecord* statement_naming(const record::SideRun& run, const Named& object) {
  const std::string name = bare_name(object.identity);
  const std::string within = bare_name(object.within);
  const auto found =
      std::find_if(run.statements.rbegin(), run.statements.rend(), [&](const record::StatementRecord& s) {
        return names(s.text, name) && (object.within.empty() || names(s.text, within));
      });
  return found == run.statements.rend() ? nullptr : &*found;
}

void blame_naming(record::Finding& finding, const std::optional<record::SideRun>& run,
                  const std::vector<Named>& objects) {
  if (!run) return;
  for (const Named& object : objects) {
    if (const record::StatementRecord* statement = statement_naming(*run, object)) {
      blame(finding, *statement);
      return;
    }
  }
}

std::vector<Named> altered_objects(const std::vector<record::ObjectDifference>& objects) {
  std::vector<Named> result;
  for (const record::ObjectDifference& object : objects) {
    if (object.change == record::Change::altered) result.push_back({object.identity, object.parent});
  }
  return result;
}

std::vector<NamedRun> runs_of(const record::MigrationRecord& migration) {
  std::vector<NamedRun> runs;
  if (migration.forward) runs.push_back({"up", record::Side::up, &*migration.forward});
  if (migration.back) runs.push_back({"down", record::Side::down, &*migration.back});
  if (migration.again) runs.push_back({"up again", record::Side::up, &*migration.again});
  return runs;
}

const record::MigrationRecord* migration_of(const record::Run& run, std::string_view version) {
  const auto found = std::find_if(run.migrations.begin(), run.migrations.end(),
                                  [&](const record::MigrationRecord& m) { return m.version == version; });
  return found == run.migrations.end() ? nullptr : &*found;
}

std::string code_text(std::string_view sqlstate) {
  return (sqlstate.starts_with("SQLITE_") ? "" : "SQLSTATE ") + std::string(sqlstate);
}

std::string error_text(const record::SqlError& error) {
  const std::string message = abridged(error.message, 300);
  return error.sqlstate.empty() ? message : fmt::format("{} ({})", message, code_text(error.sqlstate));
}

}  // namespace lockkeeper::check
