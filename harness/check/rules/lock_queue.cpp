#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/interruptions.h"
#include "check/locks.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

void find_lock_queue(const record::Run& run, const scenario::Scenario& scenario,
                     std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    std::vector<const record::QueueWait*> long_ones;
    for (const record::QueueWait& queue : migration.queues) {
      if (queue.others > scenario.longest_wait) long_ones.push_back(&queue);
    }
    if (long_ones.empty()) continue;
    const auto shorter = [](const auto* a, const auto* b) { return a->others < b->others; };
    const auto& queue = **std::max_element(long_ones.begin(), long_ones.end(), shorter);
    record::Finding finding = finding_of(
        k_lock_queue, migration, record::Side::up,
        fmt::format(
            "while a transaction that has read {} stays open, up waits with {} and everybody else behind "
            "it: a read took {} (at most {} are allowed), and would take as long as that transaction",
            queue.table, queue.mode, human(queue.others), human(scenario.longest_wait)));
    finding.statement = abridged(queue.statement, 120);
    if (queue.location) finding.location = queue.location;
    for (const auto* other : long_ones) {
      if (other != &queue)
        finding.evidence.push_back(
            fmt::format("the same behind a reader of {}: {}", other->table, human(other->others)));
    }
    if (queue.error) {
      finding.evidence.push_back("up lets go in the end: " + error_text(*queue.error));
      finding.evidence.push_back("it leaves " + (queue.left.empty()
                                                     ? std::string("nothing")
                                                     : what_differs(queue.left, Later::after_up)));
      finding.evidence.push_back(queue.retry_error ? "run again: " + error_text(*queue.retry_error)
                                                   : std::string("run again, it gets through"));
    }
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_lock_queue{
    .id = "lock-queue",
    .group = "locks and traffic",
    .level = record::Level::error,
    .summary =
        "behind an open transaction the migration waits with a strong lock queued, and everybody else behind "
        "it "
        "(with --depth full)",
    .why =
        "A change that takes a millisecond waits for a report that has read the table an hour ago, and every "
        "page that wants to read it after that waits for the change. It is this queue, not the change, that "
        "takes production down.",
    .advice =
        "SET lock_timeout = '2s' (or less) before it, so that it gives up and lets the others through, and "
        "try "
        "again a few times",
    .bad = R"(-- up
ALTER TABLE orders ADD COLUMN note text;)",
    .good = R"(-- up
SET LOCAL lock_timeout = '100ms';
ALTER TABLE orders ADD COLUMN note text;)",
    .find = find_lock_queue,
};

}  // namespace lockkeeper::check
