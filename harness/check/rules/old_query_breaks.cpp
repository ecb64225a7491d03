#include <fmt/format.h>

#include "base/text.h"
#include "check/finding.h"
#include "check/old_release.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

std::string how_it_breaks(const record::OldUse& use) {
  if (use.error) return "fails on the new schema: " + error_text(*use.error);
  const std::string base = counted(use.base_rows, "row");
  return use.base_rows != use.head_rows
             ? fmt::format("gives another answer: {} before, {} now", base, grouped(use.head_rows))
             : fmt::format("gives another answer: {} as before, with other values", base);
}

void find_old_query_breaks(const record::Run& run, const scenario::Scenario& scenario,
                           std::vector<record::Finding>& findings) {
  for (const record::OldUse& use : run.old_uses) {
    const bool view = use.kind == record::OldUseKind::view;
    if ((!view && use.kind != record::OldUseKind::query) || use.base_error) continue;
    if (!use.error && use.same_result) continue;
    record::Finding finding = finding_of(
        k_old_query_breaks, run, use,
        fmt::format("{} '{}' {}", view ? "view" : "the old release's query", use.what, how_it_breaks(use)));
    if (!view) finding.evidence.push_back(fmt::format("query: {}", abridged(use.sql, 300)));
    if (!view) add_origin(scenario, use, finding);
    if (!use.same_result)
      finding.evidence.emplace_back(
          "base gives the same answer under other plans, so it is no matter of ties");
    findings.push_back(std::move(finding));
  }
}

}  // namespace

constinit const Rule k_old_query_breaks{
    .id = "old-query-breaks",
    .group = "compatibility",
    .level = record::Level::error,
    .summary =
        "what the release before this one reads fails on the new schema, or is answered otherwise (its "
        "queries "
        "as the base ref's scenario or old_release has them, and the views that stay)",
    .why =
        "The schema changes before the last process of the old release is gone, and stays changed when the "
        "new "
        "release has to be taken back. Until then each of its queries is at work, on the schema that it does "
        "not know.",
    .advice =
        "expand first, contract later: add the new column beside the old one, or leave a view of the old "
        "name, "
        "and take the old one away with the release after the next",
    .bad = R"(-- the release before: SELECT nick FROM users WHERE id = $1
-- up
ALTER TABLE users RENAME COLUMN nick TO nickname;)",
    .good = R"(-- up; a later migration drops nick
ALTER TABLE users ADD COLUMN nickname text GENERATED ALWAYS AS (nick) STORED;)",
    .find = find_old_query_breaks,
};

}  // namespace lockkeeper::check
