#include "check/facts.h"

#include "check/finding.h"

namespace lockkeeper::check {

void report_facts(const record::Run& run, const Rule& rule, record::SchemaFactKind kind,
                  std::string (*message)(const record::SchemaFact&), std::vector<record::Finding>& findings,
                  Lasting lasting) {
  for (const record::MigrationRecord& migration : run.migrations) {
    for (const record::SchemaFact& fact : migration.schema_facts) {
      if (fact.kind != kind || (lasting != nullptr && !lasting(run, migration, fact))) continue;
      record::Finding finding = finding_of(rule, migration, record::Side::up, message(fact));
      blame_naming(finding, migration.forward, {{fact.object, ""}, {fact.table, ""}});
      findings.push_back(std::move(finding));
    }
  }
}

}  // namespace lockkeeper::check
