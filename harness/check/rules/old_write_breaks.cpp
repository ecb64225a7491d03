#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/old_release.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

using record::OldUse;
using record::OldUseKind;

record::Finding refused(const record::Run& run, const OldUse& use) {
  if (use.error) {
    return finding_of(k_old_write_breaks, run, use,
                      fmt::format("the old release's write '{}' fails on the new schema: {}", use.what,
                                  error_text(*use.error)));
  }
  return finding_of(k_old_write_breaks, run, use,
                    fmt::format("query '{}' fails on what the old release writes: {}", use.query,
                                error_text(*use.query_error)));
}

/// The same refusal of the same table, met by what the old release is said to write.
bool is_told_by_a_write(const record::Run& run, const OldUse& row) {
  return std::any_of(run.old_uses.begin(), run.old_uses.end(), [&](const OldUse& use) {
    return use.kind == OldUseKind::write && !use.base_error && use.error && use.migration == row.migration &&
           use.error->message == row.error->message;
  });
}

/// Nobody has said that the old release writes to these tables: one warning for all of them.
void find_refused_rows(const record::Run& run, std::vector<record::Finding>& findings) {
  std::map<std::string, std::vector<const OldUse*>> by_migration;
  for (const OldUse& use : run.old_uses) {
    if (use.kind == OldUseKind::old_row && use.error && !is_told_by_a_write(run, use))
      by_migration[use.migration].push_back(&use);
  }
  for (const auto& [migration, uses] : by_migration) {
    const OldUse& first = *uses.front();
    const std::string others =
        uses.size() > 1
            ? fmt::format(", nor into {}", counted(static_cast<std::int64_t>(uses.size() - 1), "other table"))
            : "";
    record::Finding finding =
        finding_of(k_old_write_breaks, run, first,
                   fmt::format("no INSERT of the old release's gets into {} any more{}: {}", first.what,
                               others, error_text(*first.error)));
    finding.level = record::Level::warning;
    finding.evidence.push_back("tried: a copy of a row, by the columns that there were before: " +
                               abridged(first.sql, 300));
    for (std::size_t at = 1; at < uses.size(); ++at)
      finding.evidence.push_back(fmt::format("{}: {}", uses[at]->what, error_text(*uses[at]->error)));
    findings.push_back(std::move(finding));
  }
}

void find_old_write_breaks(const record::Run& run, const scenario::Scenario& scenario,
                           std::vector<record::Finding>& findings) {
  for (const OldUse& use : run.old_uses) {
    if (use.kind != OldUseKind::write || use.base_error || (!use.error && !use.query_error)) continue;
    record::Finding finding = refused(run, use);
    finding.evidence.push_back("written: " + abridged(use.sql, 300));
    if (use.error && !use.error->detail.empty()) finding.evidence.push_back("detail: " + use.error->detail);
    add_origin(scenario, use, finding);
    findings.push_back(std::move(finding));
  }
  find_refused_rows(run, findings);
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
