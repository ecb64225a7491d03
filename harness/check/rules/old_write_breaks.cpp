#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/old_release.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

record::Finding refused(const record::Run& run, const record::OldUse& use) {
  if (use.kind == record::OldUseKind::write) {
    return finding_of(k_old_write_breaks, run, use,
                      fmt::format("the old release's write '{}' fails on the new schema: {}", use.what,
                                  error_text(*use.error)));
  }
  record::Finding finding = finding_of(k_old_write_breaks, run, use,
                                       fmt::format("no INSERT of the old release's gets into {} any more: {}",
                                                   use.what, error_text(*use.error)));
  // Nobody has said that it writes there.
  finding.level = record::Level::warning;
  finding.evidence.emplace_back("tried: a row with the columns that there were before");
  return finding;
}

/// The same refusal of the same table, met by what the old release is said to write.
bool is_told_by_a_write(const record::Run& run, const record::OldUse& row) {
  return std::any_of(run.old_uses.begin(), run.old_uses.end(), [&](const record::OldUse& use) {
    return use.kind == record::OldUseKind::write && !use.base_error && use.error &&
           use.migration == row.migration && use.error->message == row.error->message;
  });
}

void find_old_write_breaks(const record::Run& run, const scenario::Scenario& scenario,
                           std::vector<record::Finding>& findings) {
  for (const record::OldUse& use : run.old_uses) {
    const bool writes = use.kind == record::OldUseKind::write || use.kind == record::OldUseKind::old_row;
    if (!writes || use.base_error || (!use.error && !use.query_error)) continue;
    if (use.kind == record::OldUseKind::old_row && is_told_by_a_write(run, use)) continue;
    record::Finding finding =
        use.error ? refused(run, use)
                  : finding_of(k_old_write_breaks, run, use,
                               fmt::format("query '{}' fails on what the old release writes: {}", use.query,
                                           error_text(*use.query_error)));
    finding.evidence.push_back("written: " + abridged(use.sql, 300));
    if (use.error && !use.error->detail.empty()) finding.evidence.push_back("detail: " + use.error->detail);
    if (use.kind == record::OldUseKind::write) add_origin(scenario, use, finding);
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_old_write_breaks{
    .id = "old-write-breaks",
    .group = "compatibility",
    .level = record::Level::error,
    .summary =
        "what the release before this one writes is refused by the new schema, or breaks a query of the new "
        "release (a warning where nobody has said that it writes there: a new column takes no NULL and has "
        "no "
        "default)",
    .why =
        "While the deployment goes on, and after it has been taken back, the old release goes on writing. It "
        "knows nothing of a new column that must have a value, nor of a new constraint: every order that "
        "somebody places then is an error page.",
    .advice =
        "give the new column a default, or let it take NULL until no old process is left; add constraints "
        "after the release that keeps to them",
    .bad = R"(-- up
ALTER TABLE users ADD COLUMN locale text;
UPDATE users SET locale = 'en';
ALTER TABLE users ALTER COLUMN locale SET NOT NULL;)",
    .good = R"(-- up
ALTER TABLE users ADD COLUMN locale text NOT NULL DEFAULT 'en';)",
    .find = find_old_write_breaks,
};

}  // namespace lockkeeper::check
