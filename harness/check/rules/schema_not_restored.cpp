#include <fmt/format.h>

#include "check/describe.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

void find_schema_not_restored(const record::Run& run, const scenario::Scenario&,
                              std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    // A down that did nothing is one fault, not one for every object: down-missing lists them.
    if (migration.down_did_nothing) continue;
    const Parted parted = part_order(migration.back_difference.objects);
    if (parted.real.empty()) continue;
    record::Finding finding = finding_of(k_schema_not_restored, migration, record::Side::down,
                                         fmt::format("after down the schema is not what it was before up: {}",
                                                     object_summary(parted.real, Later::after_down)));
    blame_naming(finding, migration.back, altered_objects(parted.real));
    finding.evidence = object_lines(parted.real, Later::after_down);
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_schema_not_restored{
    .id = "schema-not-restored",
    .group = "round trip",
    .level = record::Level::error,
    .summary = "after down the schema is not what it was before up",
    .why =
        "The old release gets a schema that it was never tested with: a default, an index, a NOT NULL or a "
        "grant is "
        "missing, and nobody notices until it is needed.",
    .advice =
        "make the down restore each object as it is listed here: drop what is left behind, and create what "
        "is lost "
        "with everything it had (NOT NULL, default, indexes, constraints, comment, privileges)",
    .bad = R"(-- up: takes the index users_email_idx and NOT NULL with it
ALTER TABLE users DROP COLUMN email;
-- down
ALTER TABLE users ADD COLUMN email text;)",
    .good = R"(-- up: the column stays until nobody needs it
ALTER TABLE users ALTER COLUMN email DROP NOT NULL;
-- down
UPDATE users SET email = '' WHERE email IS NULL;
ALTER TABLE users ALTER COLUMN email SET NOT NULL;)",
    .find = find_schema_not_restored,
};

}  // namespace lockkeeper::check
