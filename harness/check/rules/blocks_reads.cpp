#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

void find_blocks_reads(const record::Run& run, const scenario::Scenario& scenario,
                       std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    for (const NamedRun& side : runs_of(migration)) {
      const record::FileLock* longest = nullptr;
      for (const record::FileLock& lock : side.run->file_locks) {
        if (lock.stops_readers != true || lock.held <= scenario.longest_wait) continue;
        if (longest == nullptr || longest->held < lock.held) longest = &lock;
      }
      if (longest == nullptr) continue;
      record::Finding finding =
          finding_of(k_blocks_reads, migration, side.side,
                     fmt::format("{} lets nobody else read or write for {} (at most {} are allowed){}",
                                 side.name, human(longest->held), human(scenario.longest_wait),
                                 longest->sampled ? ", sampled" : ""));
      if (longest->location) finding.location = longest->location;
      if (!longest->text.empty()) finding.evidence.push_back("since " + abridged(longest->text, 200));
      findings.push_back(std::move(finding));
    }
  }
}

}  // namespace

constinit const Rule k_blocks_reads{
    .id = "blocks-reads",
    .group = "locks and traffic",
    .level = record::Level::error,
    .summary = "nobody else can read for longer than is allowed while a side runs",
    .why =
        "Every page that reads a locked table hangs, the pool of connections fills with those that wait, and "
        "soon pages hang that never read it. On SQLite a commit with a rollback journal, and a change that "
        "does "
        "not fit into the page cache, lock out every reader of the file.",
    .advice =
        "on SQLite, use PRAGMA journal_mode = WAL, where readers never wait for a writer; change large "
        "tables in "
        "batches, each in a transaction of its own",
    .bad = R"(-- up, with a rollback journal and a small page cache
UPDATE events SET payload = upper(payload);)",
    .good = R"(-- once, before: readers go on while the same up runs
PRAGMA journal_mode = WAL;)",
    .find = find_blocks_reads,
};

}  // namespace lockkeeper::check
