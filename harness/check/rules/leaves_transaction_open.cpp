#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

/// The statement that opened what was never closed.
const record::StatementRecord* opener(const record::SideRun& run) {
  for (auto at = run.statements.rbegin(); at != run.statements.rend(); ++at) {
    const std::string text = lower(trimmed(at->text));
    if (text.starts_with("begin") || text.starts_with("start transaction")) return &*at;
  }
  return nullptr;
}

void find_leaves_transaction_open(const record::Run& run, const scenario::Scenario&,
                                  std::vector<record::Finding>& findings) {
  for (const record::MigrationRecord& migration : run.migrations) {
    std::set<record::Side> reported;
    for (const NamedRun& named : runs_of(migration)) {
      if (!named.run->left_transaction_open || !reported.insert(named.side).second) continue;
      record::Finding finding = finding_of(
          k_leaves_transaction_open, migration, named.side,
          fmt::format("{} ends while its transaction is still open: nothing of it is committed", named.name));
      if (const record::StatementRecord* statement = opener(*named.run)) blame(finding, *statement);
      findings.push_back(std::move(finding));
    }
  }
}

}  // namespace

constinit const Rule k_leaves_transaction_open{
    .id = "leaves-transaction-open",
    .group = "round trip",
    .level = record::Level::error,
    .summary = "after the side a transaction is still open",
    .why =
        "A file with its own BEGIN takes the transaction out of the tool's hands. Without COMMIT the work is "
        "thrown "
        "away when the session ends, after the tool has written down that it was done; until then its locks "
        "stay.",
    .advice = "end the file with COMMIT, or leave BEGIN and COMMIT to the tool",
    .bad = R"(-- up
BEGIN;
ALTER TABLE users ADD COLUMN phone text;
-- down
ALTER TABLE users DROP COLUMN phone;)",
    .good = R"(-- up
BEGIN;
ALTER TABLE users ADD COLUMN phone text;
COMMIT;
-- down
ALTER TABLE users DROP COLUMN phone;)",
    .find = find_leaves_transaction_open,
};

}  // namespace lockkeeper::check
