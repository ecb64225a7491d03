#include "check/facts.h"

#include "base/text.h"
#include "check/finding.h"

namespace lockkeeper::check {

namespace {

/// The server names most foreign keys itself, so that no statement does: the one that names table and column
/// made it sooner than another that only names the table, as what refers to that table does.
std::vector<Named> statements_wanted(const record::SchemaFact& fact) {
  std::vector<Named> wanted{{fact.object, ""}};
  if (fact.kind == record::SchemaFactKind::foreign_key_without_index && !fact.detail.empty()) {
    wanted.push_back({trimmed(split(fact.detail, ',').front()), fact.table});
  }
  wanted.push_back({fact.table, ""});
  return wanted;
}

}  // namespace

void report_facts(const record::Run& run, const Rule& rule, record::SchemaFactKind kind,
                  std::string (*message)(const record::SchemaFact&), std::vector<record::Finding>& findings,
                  Lasting lasting) {
  for (const record::MigrationRecord& migration : run.migrations) {
    for (const record::SchemaFact& fact : migration.schema_facts) {
      if (fact.kind != kind || (lasting != nullptr && !lasting(run, migration, fact))) continue;
      record::Finding finding = finding_of(rule, migration, record::Side::up, message(fact));
      blame_naming(finding, migration.forward, statements_wanted(fact));
      findings.push_back(std::move(finding));
    }
  }
}

}  // namespace lockkeeper::check
