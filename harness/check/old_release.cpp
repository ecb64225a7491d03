#include "check/old_release.h"

#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/identity.h"

namespace lockkeeper::check {

namespace {

/// What the migration has changed of that which the use, or what the server says of it, names.
std::vector<Named> culprits(const record::MigrationRecord& migration, const record::OldUse& use) {
  const auto& error = use.error ? use.error : use.query_error;
  const std::string text = use.kind == record::OldUseKind::old_row && error
                               ? error->message
                               : use.sql + (error ? error->message : "");
  std::vector<Named> found;
  for (const record::ObjectDifference& object : migration.forward_change.objects) {
    if (names(text, bare_name(object.identity))) found.push_back({object.identity, ""});
  }
  return found;
}

}  // namespace

record::Finding finding_of(const Rule& rule, const record::Run& run, const record::OldUse& use,
                           std::string message) {
  const record::MigrationRecord* const migration = migration_of(run, use.migration);
  if (migration == nullptr) {
    record::Finding finding = finding_of(rule, std::move(message));
    finding.location = use.location;
    return finding;
  }
  record::Finding finding = finding_of(rule, *migration, record::Side::up, std::move(message));
  blame_naming(finding, migration->forward, culprits(*migration, use));
  return finding;
}

void add_origin(const scenario::Scenario& scenario, const record::OldUse& use, record::Finding& finding) {
  const std::string from = scenario.old_release ? scenario.old_release->from : std::string();
  finding.evidence.push_back(use.location
                                 ? fmt::format("the old release does so by {}", to_string(*use.location))
                                 : fmt::format("the old release does so by the scenario at {}", from));
}

}  // namespace lockkeeper::check
