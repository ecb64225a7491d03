#include <fmt/format.h>

#include "check/facts.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

std::string message_several_heads(const record::HistoryFact& fact) {
  return fact.detail;
}

void find_several_heads(const record::Run& run, const scenario::Scenario&,
                        std::vector<record::Finding>& findings) {
  report_history(run, k_several_heads, {record::HistoryFactKind::several_heads}, message_several_heads,
                 findings);
}

}  // namespace

constinit const Rule k_several_heads{
    .id = "several-heads",
    .group = "history",
    .level = record::Level::error,
    .summary = "the history has several heads",
    .why =
        "Two revisions follow the same one. \"upgrade head\" fails for all until somebody merges them, "
        "mostly in the middle of a deployment.",
    .advice = "merge the heads (alembic merge heads), or let the newer revision follow the other",
    .bad = R"(-- 002 and 003 both follow 001
ALTER TABLE users ADD COLUMN phone text;)",
    .good = R"(-- 003 follows 002
ALTER TABLE users ADD COLUMN phone text;)",
    .find = find_several_heads,
};

}  // namespace lockkeeper::check
