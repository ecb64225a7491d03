#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

void find_blocks_writes(const record::Run& run, const scenario::Scenario& scenario,
                        std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    for (const NamedRun& side : runs_of(migration)) {
      const record::FileLock* longest = nullptr;
      for (const record::FileLock& lock : side.run->file_locks) {
        if (lock.stops_readers != false || lock.held <= scenario.longest_wait) continue;
        if (longest == nullptr || longest->held < lock.held) longest = &lock;
      }
      if (longest == nullptr) continue;
      record::Finding finding =
          finding_of(k_blocks_writes, migration, side.side,
                     fmt::format("{} lets nobody else write for {} (at most {} are allowed){}", side.name,
                                 human(longest->held), human(scenario.longest_wait),
                                 longest->sampled ? ", sampled" : ""));
      if (longest->location) finding.location = longest->location;
      if (!longest->text.empty()) finding.evidence.push_back("since " + abridged(longest->text, 200));
      findings.push_back(std::move(finding));
    }
  }
}

}  // namespace

constinit const Rule k_blocks_writes{
    .id = "blocks-writes",
    .group = "locks and traffic",
    .level = record::Level::error,
    .summary = "nobody else can write for longer than is allowed while a side runs",
    .why =
        "Orders, logins and jobs wait, and what waits longer than its own limit fails: 'database is locked'. "
        "On "
        "SQLite the first statement that writes locks the whole file for all other writers, until the "
        "COMMIT.",
    .advice =
        "keep what takes long out of the transaction: change large tables in batches of some thousand rows, "
        "each "
        "in a transaction of its own, and build indexes in a migration of their own",
    .bad = R"(-- up, one transaction: the file is locked until the index stands
ALTER TABLE events ADD COLUMN kind TEXT;
UPDATE events SET kind = json_extract(payload, '$.kind');
CREATE INDEX events_kind ON events (kind);)",
    .good = R"(-- 0001 up
ALTER TABLE events ADD COLUMN kind TEXT;
-- the application fills it, some thousand rows at a time; 0002 up, while few write
CREATE INDEX events_kind ON events (kind);)",
    .find = find_blocks_writes,
};

}  // namespace lockkeeper::check
