#include <fmt/format.h>

#include "base/text.h"
#include "check/describe.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

std::string how_many(const record::StateDifference& noise) {
  std::vector<std::string> parts;
  if (!noise.objects.empty()) {
    parts.push_back(counted(static_cast<std::int64_t>(noise.objects.size()), "object"));
  }
  if (!noise.data.empty()) parts.push_back(data_summary(noise.data));
  return join(parts, " and ");
}

void report(const record::MigrationRecord& migration, record::Side side, const record::StateDifference& noise,
            std::vector<record::Finding>& findings) {
  if (noise.empty()) return;
  record::Finding finding =
      finding_of(k_not_deterministic, migration, side,
                 fmt::format("two identical runs of {} end differently in {}: left out of the comparison",
                             side == record::Side::up ? "up" : "down", how_many(noise)));
  const auto& run = side == record::Side::up ? migration.forward : migration.back;
  blame_naming(finding, run, altered_objects(noise.objects));
  finding.evidence = object_lines(noise.objects, Later::after_up);
  for (std::string& line : data_lines(noise.data)) finding.evidence.push_back(std::move(line));
  findings.push_back(std::move(finding));
}

void find_not_deterministic(const record::Run& run, const scenario::Scenario&,
                            std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    report(migration, record::Side::up, migration.up_not_deterministic, findings);
    report(migration, record::Side::down, migration.down_not_deterministic, findings);
  }
}

}  // namespace

constinit const Rule k_not_deterministic{
    .id = "not-deterministic",
    .group = "round trip",
    .level = record::Level::note,
    .summary = "two identical runs of a side end differently; what differs is left out of the comparison",
    .why =
        "Databases that ran the same migration are no longer alike: a default frozen at the time of the "
        "deployment, "
        "a partition named by the day, random values. Nobody can compare staging with production any more.",
    .advice =
        "let the server compute the value when a row is written (DEFAULT now()), and name objects without "
        "the time "
        "of the run",
    .bad = R"(-- up: the day of the deployment becomes everybody's default, for ever
DO $$ BEGIN
  EXECUTE format('ALTER TABLE users ALTER COLUMN joined_at SET DEFAULT %L', clock_timestamp());
END $$;
-- down
ALTER TABLE users ALTER COLUMN joined_at DROP DEFAULT;)",
    .good = R"(-- up
ALTER TABLE users ALTER COLUMN joined_at SET DEFAULT now();
-- down
ALTER TABLE users ALTER COLUMN joined_at DROP DEFAULT;)",
    .find = find_not_deterministic,
};

}  // namespace lockkeeper::check
