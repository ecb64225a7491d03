#include "check/facts.h"

#include <algorithm>

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

/// Follows the object through the later migrations of the trial, whatever they call it.
bool lasts(const record::Run& run, const record::MigrationRecord& migration, const record::SchemaFact& fact) {
  std::string object = fact.object;
  std::string other = fact.kind == record::SchemaFactKind::index_duplicate ? fact.detail : fact.object;
  for (const record::MigrationRecord* later = &migration + 1;
       later < run.migrations.data() + run.migrations.size(); ++later) {
    const auto& facts = later->schema_facts;
    if (std::ranges::any_of(facts, [&](const record::SchemaFact& then) {
          return then.settled && then.kind == fact.kind && (then.object == object || then.object == other);
        })) {
      return false;
    }
    const auto renamed = std::ranges::find_if(facts, [&](const record::SchemaFact& then) {
      return then.kind == fact.kind && then.formerly == object;
    });
    if (renamed == facts.end()) continue;
    object = renamed->object;
    other = fact.kind == record::SchemaFactKind::index_duplicate ? renamed->detail : object;
  }
  return true;
}

}  // namespace

void report_facts(const record::Run& run, const Rule& rule, record::SchemaFactKind kind,
                  std::string (*message)(const record::SchemaFact&), std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    for (const record::SchemaFact& fact : migration.schema_facts) {
      if (fact.kind != kind || fact.settled || !fact.formerly.empty()) continue;
      if (!lasts(run, migration, fact)) continue;
      record::Finding finding = finding_of(rule, migration, record::Side::up, message(fact));
      blame_naming(finding, migration.forward, statements_wanted(fact));
      findings.push_back(std::move(finding));
    }
  }
}

void report_history(const record::Run& run, const Rule& rule,
                    std::initializer_list<record::HistoryFactKind> kinds,
                    std::string (*message)(const record::HistoryFact&),
                    std::vector<record::Finding>& findings) {
  for (const record::HistoryFact& fact : run.history_facts) {
    if (std::find(kinds.begin(), kinds.end(), fact.kind) == kinds.end()) continue;
    record::Finding finding = finding_of(rule, message(fact));
    finding.migration = fact.migration;
    finding.location = fact.location;
    if (!fact.consequence.empty()) finding.evidence.push_back(fact.consequence);
    findings.push_back(std::move(finding));
  }
}

}  // namespace lockkeeper::check
