#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

std::string what_moved(const record::MigrationRecord& migration) {
  return fmt::format("{} {} elsewhere after the round trip",
                     counted(static_cast<std::int64_t>(migration.sequence_moves.size()), "sequence"),
                     migration.sequence_moves.size() == 1 ? "stands" : "stand");
}

void find_sequence_moved(const record::Run& run, const scenario::Scenario&,
                         std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    if (migration.sequence_moves.empty()) continue;
    record::Finding finding =
        finding_of(k_sequence_moved, migration, record::Side::down, what_moved(migration));
    for (const record::SequenceMove& move : migration.sequence_moves) {
      finding.evidence.push_back(
          fmt::format("sequence {}: stood at {}, stands at {}", move.sequence, move.before, move.after));
    }
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_sequence_moved{
    .id = "sequence-moved",
    .group = "round trip",
    .level = record::Level::note,
    .summary = "a sequence's position differs after the round trip",
    .why =
        "Sequences do not roll back. Mostly harmless; but rows that are inserted again get other keys, which "
        "matters "
        "where code or other systems know them by number.",
    .advice =
        "give rows that a migration inserts fixed keys, and set the sequence (setval) in up and down alike, "
        "where "
        "the numbers matter",
    .bad = R"(-- up: the key is whatever the sequence gives
INSERT INTO roles (name) VALUES ('auditor');
-- down
DELETE FROM roles WHERE name = 'auditor';)",
    .good = R"(-- up: a number that code can rely on, and no nextval
INSERT INTO roles (id, name) OVERRIDING SYSTEM VALUE VALUES (900, 'auditor');
-- down
DELETE FROM roles WHERE id = 900;)",
    .find = find_sequence_moved,
};

}  // namespace lockkeeper::check
