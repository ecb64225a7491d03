#include <set>

#include <fmt/format.h>

#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

/// name_too_long, which PostgreSQL raises as a notice when it shortens a name to 63 bytes (NAMEDATALEN - 1).
constexpr std::string_view k_name_too_long = "42622";

void report(const record::MigrationRecord& migration, const record::SideRun& run,
            std::vector<record::Finding>& findings) {
  std::set<std::string> reported;
  for (const record::StatementRecord& statement : run.statements) {
    for (const record::Notice& notice : statement.notices) {
      if (notice.sqlstate != k_name_too_long || !reported.insert(notice.message).second) continue;
      record::Finding finding = finding_of(k_identifier_truncated, migration, run.side,
                                           fmt::format("the server shortened a name: {}", notice.message));
      blame(finding, statement);
      findings.push_back(std::move(finding));
    }
  }
}

void find_identifier_truncated(const record::Run& run, const scenario::Scenario&,
                               std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    if (migration.forward) report(migration, *migration.forward, findings);
    if (migration.back) report(migration, *migration.back, findings);
  }
}

}  // namespace

constinit const Rule k_identifier_truncated{
    .id = "identifier-truncated",
    .group = "schema",
    .level = record::Level::warning,
    .summary = "the server shortened a name",
    .why =
        "PostgreSQL keeps 63 bytes of a name and only raises a notice. Two long names that begin alike "
        "collide, and "
        "tools that look a constraint up by its full name do not find it.",
    .advice = "choose a name of at most 63 bytes",
    .bad = R"(-- up: 65 bytes
CREATE INDEX customer_subscription_invoices_customer_id_and_billing_period_idx
  ON invoices (customer_id, period);)",
    .good = R"(-- up
CREATE INDEX invoices_customer_period_idx ON invoices (customer_id, period);)",
    .find = find_identifier_truncated,
};

}  // namespace lockkeeper::check
