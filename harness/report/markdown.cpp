#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "record/names.h"
#include "report/escape.h"
#include "report/forms.h"
#include "report/release_text.h"
#include "report/summary.h"

namespace lockkeeper::report {

namespace {

using record::Level;

/// GitHub refuses a comment of more than 65,536 characters; what comes first matters most, so the end is left
/// out.
constexpr std::size_t k_most_bytes = 60'000;
constexpr std::size_t k_most_rows = 60;
constexpr std::size_t k_most_lines = 40;
constexpr std::size_t k_evidence_in_sight = 4;
constexpr std::size_t k_longest_text = 600;
constexpr std::size_t k_longest_evidence = 300;
constexpr std::size_t k_longest_name = 80;

std::string prose(std::string_view text) {
  return markdown_text(abridged(readable(text), k_longest_text));
}
std::string code(std::string_view text) {
  return markdown_code(abridged(readable(text), k_longest_name));
}
/// Places are to be copied whole.
std::string place(const Location& location) {
  return markdown_code(to_string(location));
}

/// Blocks in the order of their importance, as many as a comment holds.
class Page {
 public:
  void add(std::string_view block) {
    if (m_text.size() + block.size() > k_most_bytes) m_full = true;
    if (m_full || block.empty()) return;
    if (!m_text.empty()) m_text += '\n';
    m_text += block;
    if (m_text.back() != '\n') m_text += '\n';
  }

  std::string take() {
    if (m_full) m_text += "\n*… cut here, since a comment holds no more: the rest is in the JSON report.*\n";
    return std::move(m_text);
  }

 private:
  std::string m_text;
  bool m_full = false;
};

std::string stage_cell(const StageResult& stage) {
  if (stage.outcome == Outcome::skipped) return "– " + prose(stage.reason);
  return fmt::format("{} {}", mark_of(stage.outcome), human(stage.duration));
}

std::string change_cell(const record::MigrationRecord& migration) {
  if (migration.change_class == record::ChangeClass::none) return "–";
  constexpr std::size_t k_longest_reasons = 80;
  const std::string reasons = join(migration.change_reasons, ", ");
  const std::string name(name_of(migration.change_class));
  return reasons.empty() ? name : fmt::format("{}: {}", name, prose(abridged(reasons, k_longest_reasons)));
}

std::string migration_row(const record::MigrationRecord& migration) {
  std::string row = fmt::format("| {} {} |", code(migration.version),
                                markdown_text(abridged(readable(migration.name), k_longest_name)));
  for (const StageResult& stage : stages_of(migration)) row += fmt::format(" {} |", stage_cell(stage));
  row += fmt::format(" {} |", change_cell(migration));
  return row + "\n";
}

std::string chain_row(const record::Run& run) {
  const ChainResult chain = chain_of(run.chain);
  if (chain.outcome == Outcome::skipped)
    return fmt::format("| *chain* | | – {} | | |\n", prose(chain.reason));
  const std::string stop = run.chain.stops_at.empty() ? "" : " to " + code(run.chain.stops_at);
  const std::string failed = chain.outcome == Outcome::failed ? " at " + code(chain.reason) : "";
  return fmt::format("| *chain* | | {} {}{}{} | {} | |\n", mark_of(chain.outcome), human(chain.back), stop,
                     failed, run.chain.again.empty() ? "–" : human(chain.again));
}

/// The rows that say something come first when there are too many for a comment.
std::vector<const record::MigrationRecord*> chosen_rows(const record::Run& run) {
  std::vector<const record::MigrationRecord*> rows;
  for (const auto& migration : run.migrations) rows.push_back(&migration);
  if (rows.size() <= k_most_rows) return rows;
  std::stable_sort(rows.begin(), rows.end(), [](const auto* a, const auto* b) {
    return worst_of(stages_of(*a)) > worst_of(stages_of(*b));
  });
  rows.resize(k_most_rows);
  return rows;
}

std::string migrations_table(const record::Run& run) {
  if (run.migrations.empty()) return "";
  std::string table = "| migration | up | down | again | change |\n|---|---|---|---|---|\n";
  for (const auto* migration : chosen_rows(run)) table += migration_row(*migration);
  if (run.migrations.size() > k_most_rows) {
    table += fmt::format("| … and {} more | | | | |\n", run.migrations.size() - k_most_rows);
  }
  return table + chain_row(run);
}

/// Only where it is too long, since abridging folds the white space that indents a function's body.
std::string cut(const std::string& line) {
  return line.size() > k_longest_evidence ? abridged(line, k_longest_evidence) : line;
}

std::string evidence_block(const record::Finding& finding) {
  std::vector<std::string> lines;
  if (!finding.statement.empty()) lines.push_back(abridged(readable(finding.statement), k_longest_evidence));
  for (const std::string& text : finding.evidence) {
    for (const std::string& line : readable_lines(text)) lines.push_back(cut(line));
  }
  if (lines.empty()) return "";
  const std::size_t total = lines.size();
  if (total > k_most_lines) {
    lines.resize(k_most_lines);
    lines.push_back(fmt::format("… and {} more lines in the JSON report", total - k_most_lines));
  }
  const std::string block = markdown_block(lines, "text");
  if (total <= k_evidence_in_sight) return "\n" + block;
  return fmt::format("\n<details><summary>evidence ({} lines)</summary>\n\n{}\n</details>\n", total, block);
}

std::string finding_block(const record::Run& run, const record::Finding& finding) {
  std::string head = fmt::format("**{}**", markdown_text(finding.rule));
  if (const std::string subject = subject_of(run, finding); !subject.empty()) head += " · " + code(subject);
  if (finding.location) head += " · " + place(*finding.location);
  std::string text = head + "<br>\n" + prose(finding.message) + "\n";
  if (finding.allowed) text += "<br>*Allowed:* " + prose(finding.reason) + "\n";
  if (!finding.advice.empty() && !finding.allowed) text += "<br>*Instead:* " + prose(finding.advice) + "\n";
  return text + evidence_block(finding);
}

struct Group {
  std::string_view title;
  bool (*takes)(const record::Finding&);
};

bool counts(const record::Finding& finding, Level level) {
  return !finding.allowed && !finding.expected && finding.level == level;
}

constexpr Group k_groups[] = {
    {"Errors", [](const record::Finding& finding) { return counts(finding, Level::error); }},
    {"Warnings", [](const record::Finding& finding) { return counts(finding, Level::warning); }},
    {"Notes", [](const record::Finding& finding) { return counts(finding, Level::note); }},
    {"Expected", [](const record::Finding& finding) { return finding.expected && !finding.allowed; }},
    {"Allowed", [](const record::Finding& finding) { return finding.allowed; }},
};

void add_findings(Page& page, const record::Run& run) {
  for (const Group& group : k_groups) {
    bool titled = false;
    for (const record::Finding& finding : run.findings) {
      if (!group.takes(finding)) continue;
      if (!titled) page.add(fmt::format("#### {}\n", group.title));
      titled = true;
      page.add(finding_block(run, finding));
    }
  }
}

std::string queries_table(const record::Run& run) {
  if (run.queries.empty()) return "";
  std::string table = "| query | base | head | | pages | plan on head |\n|---|---|---|---|---|---|\n";
  for (const record::QueryObservation& query : run.queries) {
    const std::string bounds = bounds_of(query);
    table += fmt::format(
        "| {} {} | {} | {} | {}{} | {} → {} | {} |\n", mark_of(outcome_of(run, query)),
        code(label_of(run, query)), time_text(query.timing.base_median), time_text(query.timing.head_median),
        speed_of(query),
        (bounds.empty() ? "" : " (" + bounds + ")") + (claim_of(query).empty() ? "" : ", " + claim_of(query)),
        grouped(query.base_plan.buffers), grouped(query.head_plan.buffers), prose(plan_of(query)));
  }
  if (const std::string how = timing_text(run); !how.empty()) table += "\n" + prose(how) + "\n";
  for (const record::IndexCost& cost : run.index_costs)
    table += fmt::format("\n- {} {}", cost.dropped ? "dropped:" : "added:", prose(cost_text(cost)));
  for (const record::SizeObservation& size : run.sizes) table += "\n- " + prose(size_text(size));
  return table + (run.index_costs.empty() && run.sizes.empty() ? "" : "\n");
}

std::string answers(const InvariantResult& invariant) {
  std::vector<std::string> parts;
  for (const std::string& answer : invariant.answers) parts.push_back(code(answer));
  return join(parts, " → ");
}

std::string invariants_table(const record::Run& run) {
  if (run.invariants.empty()) return "";
  std::string table = "| invariant | asked | answer |\n|---|---|---|\n";
  for (const InvariantResult& invariant : invariants_of(run)) {
    table += fmt::format("| {} | {} | {} |\n", code(invariant.name),
                         counted(static_cast<std::int64_t>(invariant.times), "time"), answers(invariant));
  }
  return table;
}

std::string expectation_row(const record::ExpectationObservation& expectation) {
  const auto cell = [](bool held, const std::string& found) {
    return held            ? std::string("holds")
           : found.empty() ? std::string("does not hold")
                           : "found " + code(found);
  };
  const std::string before =
      expectation.before_known ? cell(expectation.before_held, expectation.before_found) : std::string("–");
  return fmt::format("| {} {} | {} | {} |\n", mark_of(expectation.after_held ? Outcome::ok : Outcome::failed),
                     code(title_of(expectation)), before,
                     cell(expectation.after_held, expectation.after_found));
}

std::string expectations_table(const record::Run& run) {
  if (run.expectations.empty()) return "";
  std::string table = "| expectation | before | after up |\n|---|---|---|\n";
  for (const auto& expectation : run.expectations) table += expectation_row(expectation);
  return table;
}

std::string list(std::string_view title, const std::vector<std::string>& texts) {
  if (texts.empty()) return "";
  std::string result = fmt::format("{}:\n", title);
  for (const std::string& text : texts) result += "- " + prose(text) + "\n";
  return result;
}

std::vector<std::string> unmatched_texts(const std::vector<record::Unmatched>& unmatched) {
  std::vector<std::string> texts;
  for (const record::Unmatched& one : unmatched) texts.push_back(described(one));
  return texts;
}

std::string failure_block(const record::Run& run) {
  if (!run.failure) return "";
  std::string text = "> **error:** " + prose(run.failure->message) + "\n";
  if (run.failure->location) text += "> at " + place(*run.failure->location) + "\n";
  if (!run.failure->hint.empty()) text += ">\n> *Hint:* " + prose(run.failure->hint) + "\n";
  return text;
}

std::string run_title(const record::Run& run) {
  std::vector<std::string> facts{server_of(run), counted(run.base_rows, "row") + " at the base"};
  if (run.applied > 0) facts.push_back(counted(run.applied, "migration") + " only applied");
  if (run.timings.from_snapshot) facts.push_back("from snapshot");
  return fmt::format("### {}\n\n{}\n", code(run.scenario), markdown_text(join(facts, " · ")));
}

void add_run(Page& page, const record::Run& run, bool several) {
  page.add(run_title(run));
  if (several) page.add(fmt::format("**{}**\n", prose(verdict_line(run))));
  page.add(failure_block(run));
  if (run.release) {
    page.add(list("Risks", run.release->risks));
    page.add(release_tables(run));
  } else {
    page.add(migrations_table(run));
  }
  if (const auto skips = skips_of(run); !skips.empty())
    page.add("Skipped: " + prose(described(skips)) + "\n");
  page.add(list("Expected, but not found", unmatched_texts(run.missing_expected)));
  add_findings(page, run);
  page.add(queries_table(run));
  page.add(invariants_table(run));
  page.add(expectations_table(run));
  page.add(list("Stale, since nothing in this run answers to it", unmatched_texts(run.stale)));
  page.add(list("Remarks", run.remarks));
  page.add(list("Files not taken", run.not_taken));
}

std::string_view mark_of(record::Verdict verdict) {
  return report::mark_of(verdict == record::Verdict::pass ? Outcome::ok : Outcome::failed);
}

}  // namespace

std::string render_markdown(const record::Record& record) {
  Page page;
  page.add(fmt::format("## {} lockkeeper: {}\n", mark_of(record.verdict), prose(verdict_line(record))));
  if (const record::Run* run = first_to_reproduce(record)) {
    page.add("To see the first failure again:\n" + markdown_block({run->reproduce}, "sh"));
  }
  for (const record::Run& run : record.runs) add_run(page, run, record.runs.size() > 1);
  return page.take();
}

}  // namespace lockkeeper::report
