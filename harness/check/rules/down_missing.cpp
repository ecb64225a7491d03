#include <algorithm>

#include "check/describe.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

constexpr std::size_t k_lines = 20;

void add_what_stays(const record::MigrationRecord& migration, record::Finding& finding) {
  std::vector<std::string> lines = object_lines(migration.forward_change.objects, Later::after_up);
  for (std::string& line : data_lines(migration.forward_change.data)) lines.push_back(std::move(line));
  const std::size_t shown = std::min(lines.size(), k_lines);
  for (std::size_t at = 0; at < shown; ++at) finding.evidence.push_back("up: " + lines[at]);
  if (shown < lines.size()) {
    finding.evidence.push_back("up: and " + std::to_string(lines.size() - shown) + " more");
  }
}

/// Nothing to take back: an empty down is the right one.
bool up_did_nothing(const record::MigrationRecord& migration) {
  return migration.forward && !migration.forward->error && migration.forward_change.empty();
}

void find_down_missing(const record::Run& run, const scenario::Scenario&,
                       std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    const auto report = [&](std::string message, record::Level level) {
      record::Finding finding = finding_of(k_down_missing, migration, record::Side::down, std::move(message));
      finding.level = level;
      add_what_stays(migration, finding);
      findings.push_back(std::move(finding));
    };
    if (!migration.format_has_down) {
      report("this format has no down side: the migration cannot be taken back", record::Level::note);
    } else if (!migration.down) {
      report("there is no down side", record::Level::error);
    } else if (migration.down_is_empty && !up_did_nothing(migration)) {
      report("the down side holds no statement: what up did stays", record::Level::error);
    } else if (migration.down_did_nothing) {
      report("down runs and changes nothing: what up did stays", record::Level::error);
    }
  }
}

}  // namespace

constinit const Rule k_down_missing{
    .id = "down-missing",
    .group = "round trip",
    .level = record::Level::error,
    .summary = "there is no down, an empty one, or one that does nothing while up did something",
    .why =
        "The tool reports a rollback as done while the schema is still the new one; the next up then fails, "
        "or runs "
        "over what is there.",
    .advice =
        "write the down that takes back what up did; where there is no way back, let the down fail with a "
        "message "
        "(RAISE EXCEPTION) and declare it here with the reason",
    .bad = R"(-- up
ALTER TABLE users ADD COLUMN phone text;
-- down
SELECT 1;)",
    .good = R"(-- up
ALTER TABLE users ADD COLUMN phone text;
-- down
ALTER TABLE users DROP COLUMN phone;)",
    .find = find_down_missing,
};

}  // namespace lockkeeper::check
