#include "report/console_text.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "record/names.h"
#include "report/escape.h"
#include "report/release_text.h"
#include "report/summary.h"

namespace lockkeeper::report {

namespace {

using record::Finding;
using record::Level;
using Lines = std::vector<std::string>;

constexpr std::size_t k_label_width = 40;
constexpr std::size_t k_longest_label = 56;
constexpr std::size_t k_longest_message = 400;
constexpr std::size_t k_longest_line = 160;
constexpr std::size_t k_most_evidence = 12;
/// Of one rule, below the level of an error: a long history may say the same thing a hundred times.
constexpr std::size_t k_most_alike = 10;
constexpr std::size_t k_most_files = 5;

std::string short_text(std::string_view text, std::size_t limit) {
  return abridged(readable(text), limit);
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string label(std::string_view text) {
  std::string result = short_text(text, k_longest_label);
  const std::size_t width = width_of(result);
  if (width < k_label_width) result.append(k_label_width - width, ' ');
  return result;
}

std::string painted_mark(Outcome outcome, const Paint& paint) {
  const std::string_view mark = mark_of(outcome);
  switch (outcome) {
    case Outcome::ok:
      return paint.green(mark);
    case Outcome::skipped:
      return paint.dim(mark);
    case Outcome::differs:
      return paint.yellow(mark);
    case Outcome::failed:
      break;
  }
  return paint.red(mark);
}

/// "up 12 ms", "down ✘ 8 ms", "again –": a mark only where something is to be seen.
std::string stage_text(const StageResult& stage, const Paint& paint) {
  const std::string_view word = word_of(stage.stage);
  if (stage.outcome == Outcome::skipped) return paint.dim(fmt::format("{} –", word));
  const std::string time = human(stage.duration);
  if (stage.outcome == Outcome::ok) return fmt::format("{} {}", word, time);
  return fmt::format("{} {} {}", word, painted_mark(stage.outcome, paint), time);
}

std::string line_of(Outcome outcome, std::string_view name, const Lines& facts, const Paint& paint) {
  return fmt::format("  {} {}  {}", painted_mark(outcome, paint), label(name), join(facts, paint.dim(" · ")));
}

// ── a migration's statements, when verbose
// ──────────────────────────────────────────────────────────────────

Lines statement_facts(const record::StatementRecord& statement) {
  Lines facts{human(statement.duration)};
  if (statement.rows_changed) facts.push_back(counted(*statement.rows_changed, "row"));
  for (const auto& lock : statement.locks) facts.push_back(lock.mode + " on " + lock.relation);
  for (const auto& rewrite : statement.rewrites) {
    facts.push_back(fmt::format("{} {}", record::name_of(rewrite.how), rewrite.relation));
  }
  for (const auto& scan : statement.scans) facts.push_back("scanned " + scan.relation);
  if (statement.wal_bytes > 0) facts.push_back(human_bytes(statement.wal_bytes) + " WAL");
  if (statement.error) facts.push_back("error: " + statement.error->message);
  return facts;
}

void add_side(Lines& lines, std::string_view stage, const std::optional<record::SideRun>& side,
              const Paint& paint) {
  if (!side) return;
  for (const record::StatementRecord& statement : side->statements) {
    lines.push_back(fmt::format("      {:<6}{}", stage, short_text(statement.text, 90)));
    lines.push_back("            " +
                    paint.dim(short_text(join(statement_facts(statement), " · "), k_longest_message)));
    for (const record::Notice& notice : statement.notices) {
      lines.push_back("            " +
                      paint.dim(short_text(notice.severity + ": " + notice.message, k_longest_line)));
    }
  }
}

// ── findings
// ────────────────────────────────────────────────────────────────────────────────────────────────

std::string level_word(const Finding& finding, const Paint& paint) {
  if (finding.allowed) return "allowed";
  const std::string word =
      (finding.expected ? "expected " : "") + std::string(record::name_of(finding.level));
  if (finding.expected) return paint.dim(word);
  if (finding.level == Level::error) return paint.red(word);
  return finding.level == Level::warning ? paint.yellow(word) : paint.cyan(word);
}

/// The place comes first and alone, so that a terminal makes it a link.
std::string finding_head(const record::Run& run, const Finding& finding, const Paint& paint) {
  std::string place;
  if (finding.location) place = readable(to_string(*finding.location));
  if (place.empty()) place = short_text(subject_of(run, finding), k_longest_label);
  if (!place.empty()) place = paint.bold(place) + ": ";
  return fmt::format("{}{}: {} {}", place, level_word(finding, paint),
                     short_text(finding.message, k_longest_message),
                     paint.dim("[" + short_text(finding.rule, k_longest_label) + "]"));
}

Lines evidence_of(const Finding& finding, Detail detail) {
  Lines lines;
  for (const std::string& text : finding.evidence) {
    for (std::string& line : readable_lines(text)) {
      const bool cut = detail != Detail::verbose && width_of(line) > k_longest_line;
      lines.push_back(cut ? abridged(line, k_longest_line) : std::move(line));
    }
  }
  if (detail == Detail::verbose || lines.size() <= k_most_evidence + 1) return lines;
  const std::size_t more = lines.size() - k_most_evidence;
  lines.resize(k_most_evidence);
  lines.push_back(fmt::format("… and {} more (all in the JSON report)", more));
  return lines;
}

/// Findings that were agreed on: dim as a whole, since colours inside would end the dimness, and without
/// details.
Lines agreed_lines(const record::Run& run, const Finding& finding, const Paint& paint) {
  Lines lines{paint.dim(finding_head(run, finding, Paint(Colour::no)))};
  if (!finding.reason.empty()) {
    lines.push_back(paint.dim("    because: " + short_text(finding.reason, k_longest_message)));
  }
  return lines;
}

class FindingPrinter {
 public:
  FindingPrinter(const record::Run& run, const Paint& paint, Detail detail)
      : m_run(run), m_paint(paint), m_detail(detail) {}

  void add(const Finding& finding) {
    const bool in_full = stops_the_merge(m_run, finding) || m_detail == Detail::verbose;
    if (m_detail == Detail::quiet && !in_full) return;
    const std::pair kind{finding.rule, finding.level};
    if (!in_full && ++m_seen[kind] > k_most_alike) return;
    if (finding.allowed || (finding.expected && !in_full))
      return append(agreed_lines(m_run, finding, m_paint));
    m_lines.push_back(finding_head(m_run, finding, m_paint));
    if (!finding.statement.empty()) {
      m_lines.push_back("    " + m_paint.dim("in: " + short_text(finding.statement, 100)));
    }
    for (const std::string& line : evidence_of(finding, m_detail)) {
      m_lines.push_back("    " + m_paint.dim("│ ") + line);
    }
    add_advice(finding);
  }

  Lines take() {
    std::vector<std::string> more;
    for (const auto& [kind, count] : m_seen) {
      if (count <= k_most_alike) continue;
      more.push_back(
          m_paint.dim(fmt::format("… and {} more {}s [{}] (all in the JSON report)", count - k_most_alike,
                                  record::name_of(kind.second), short_text(kind.first, k_longest_label))));
    }
    // Above what stops the merge, like the findings that it counts.
    m_lines.insert(m_lines.begin(), more.begin(), more.end());
    return std::move(m_lines);
  }

 private:
  void append(const Lines& lines) { m_lines.insert(m_lines.end(), lines.begin(), lines.end()); }

  /// Once a rule: the tenth time it is noise.
  void add_advice(const Finding& finding) {
    if (finding.advice.empty() || !m_advised.insert(finding.rule + finding.advice).second) return;
    m_lines.push_back("    " + m_paint.green("instead:") + " " +
                      short_text(finding.advice, k_longest_message));
  }

  const record::Run& m_run;
  const Paint& m_paint;
  Detail m_detail;
  std::map<std::pair<std::string, Level>, std::size_t> m_seen;
  std::set<std::string> m_advised;
  Lines m_lines;
};

/// Least important first: what stops the merge is to stand right above the verdict.
Lines finding_lines(const record::Run& run, const Paint& paint, Detail detail) {
  std::vector<const Finding*> ordered;
  for (const Finding& finding : run.findings) ordered.push_back(&finding);
  const auto weight = [](const Finding* finding) {
    return finding->allowed ? 0 : finding->expected ? 1 : 2 + static_cast<int>(finding->level);
  };
  std::stable_sort(ordered.begin(), ordered.end(),
                   [&](const Finding* a, const Finding* b) { return weight(a) < weight(b); });
  FindingPrinter printer(run, paint, detail);
  for (const Finding* finding : ordered) printer.add(*finding);
  return printer.take();
}

// ── the rest of a run
// ───────────────────────────────────────────────────────────────────────────────────────

void add_chain(Lines& lines, const record::Run& run, const Paint& paint) {
  const ChainResult chain = chain_of(run.chain);
  if (run.migrations.empty() || run.release || run.queries_alone) return;
  if (chain.outcome == Outcome::skipped) {
    lines.push_back(line_of(chain.outcome, "chain", {paint.dim(short_text(chain.reason, 80))}, paint));
    return;
  }
  Lines facts{fmt::format("{} down {}", run.chain.back.size(), human(chain.back))};
  if (!run.chain.again.empty())
    facts.push_back(fmt::format("{} up {}", run.chain.again.size(), human(chain.again)));
  if (!run.chain.stops_at.empty())
    facts.push_back("no way back beyond " + short_text(run.chain.stops_at, 40));
  if (chain.outcome == Outcome::failed) facts.push_back("fails at " + short_text(chain.reason, 40));
  if (chain.outcome == Outcome::differs) facts.emplace_back("does not end where it began");
  lines.push_back(line_of(chain.outcome, "chain", facts, paint));
}

void add_queries(Lines& lines, const record::Run& run, const Paint& paint) {
  for (const record::QueryObservation& query : run.queries) {
    Lines facts;
    if (query.base_error) facts.emplace_back(query.head_error ? "fails on base" : "new: runs on head alone");
    if (query.head_error) facts.emplace_back("fails on head");
    if (facts.empty()) {
      if (query.timing.pairs > 0) {
        facts.push_back(fmt::format("{} → {}, {} ({})", time_text(query.timing.base_median),
                                    time_text(query.timing.head_median), speed_of(query), bounds_of(query)));
        if (std::string claim = claim_of(query); !claim.empty()) facts.push_back(std::move(claim));
      } else {
        facts.push_back(query.undecided.empty() ? "not timed"
                                                : "not decided: " + short_text(query.undecided, 60));
      }
      if (query.base_plan.buffers != query.head_plan.buffers)
        facts.push_back(
            fmt::format("{} → {} pages", grouped(query.base_plan.buffers), grouped(query.head_plan.buffers)));
      if (!query.same_result && !query.ambiguous_result && !query.not_deterministic)
        facts.emplace_back("other answer");
      if (const std::string plan = plan_of(query); !plan.empty())
        facts.push_back(paint.dim(short_text(plan, 80)));
    }
    lines.push_back(line_of(outcome_of(run, query), short_text(label_of(run, query), 60), facts, paint));
  }
  if (const std::string how = timing_text(run); !how.empty()) lines.push_back("    " + paint.dim(how));
  std::int64_t elsewhere = 0;
  for (const record::IndexCost& cost : run.index_costs) {
    if (cost.on_new_table && cost.used_by.empty())
      ++elsewhere;
    else
      lines.push_back(fmt::format("  {} {}", cost.dropped ? "-" : "+", readable(cost_text(cost))));
  }
  if (elsewhere > 0)
    lines.push_back(fmt::format("  + {} {} on new tables, used by no critical query", grouped(elsewhere),
                                elsewhere == 1 ? "index" : "indexes"));
  for (const record::SizeObservation& size : run.sizes) lines.push_back("    " + readable(size_text(size)));
}

void add_invariants(Lines& lines, const record::Run& run, const Paint& paint) {
  const auto count = [&](std::string_view rule) {
    return std::count_if(run.findings.begin(), run.findings.end(),
                         [&](const Finding& finding) { return finding.rule == rule && !finding.allowed; });
  };
  if (!run.invariants.empty()) {
    const auto broken = count("invariant-broken");
    const auto invariants = static_cast<std::int64_t>(invariants_of(run).size());
    Lines facts{fmt::format("asked {}", counted(static_cast<std::int64_t>(run.invariants.size()), "time"))};
    if (broken > 0) facts.push_back(counted(broken, "finding"));
    lines.push_back(
        line_of(broken > 0 ? Outcome::failed : Outcome::ok, counted(invariants, "invariant"), facts, paint));
  }
  if (!run.expectations.empty()) {
    const auto without = std::count_if(run.expectations.begin(), run.expectations.end(),
                                       [](const auto& expectation) { return !expectation.after_held; });
    const auto unmet = std::max(count("expectation-not-met"), without);
    const auto expectations = static_cast<std::int64_t>(run.expectations.size());
    lines.push_back(line_of(unmet > 0 ? Outcome::failed : Outcome::ok, counted(expectations, "expectation"),
                            {unmet > 0 ? fmt::format("{} not met", unmet) : "all met"}, paint));
  }
}

/// Those that want more care than a safe one, and why.
void add_change_classes(Lines& lines, const record::Run& run, const Paint& paint) {
  constexpr std::size_t k_most = 5;
  std::size_t shown = 0;
  for (const auto& migration : run.migrations) {
    if (migration.change_class < record::ChangeClass::risky) continue;
    if (++shown > k_most) continue;
    lines.push_back("  " + paint.dim(fmt::format(
                               "{}: {} {}", name_of(migration.change_class), readable(migration.version),
                               short_text(join(migration.change_reasons, ", "), k_longest_message))));
  }
  if (shown > k_most) lines.push_back("  " + paint.dim(fmt::format("risky: … and {} more", shown - k_most)));
}

void add_remarks(Lines& lines, const record::Run& run, const Paint& paint, Detail detail) {
  add_change_classes(lines, run, paint);
  if (const auto skips = skips_of(run); !skips.empty()) {
    lines.push_back("  " + paint.dim("skipped: " + short_text(described(skips), k_longest_message)));
  }
  for (const std::string& remark : run.remarks) {
    lines.push_back("  " + paint.cyan("remark:") + " " + short_text(remark, k_longest_message));
  }
  const std::size_t shown =
      detail == Detail::verbose ? run.not_taken.size() : std::min(run.not_taken.size(), k_most_files);
  for (std::size_t i = 0; i < shown; ++i) {
    lines.push_back("  " + paint.dim("not taken: " + short_text(run.not_taken[i], k_longest_line)));
  }
  if (shown < run.not_taken.size()) {
    lines.push_back("  " + paint.dim(fmt::format("not taken: … and {} more", run.not_taken.size() - shown)));
  }
}

std::string place_of(const record::Unmatched& unmatched, const Paint& paint) {
  const std::string text = readable(to_string(unmatched.location));
  return text.empty() ? text : paint.bold(text) + ": ";
}

std::string what_of(const record::Unmatched& unmatched) {
  const std::string migration = unmatched.migration.empty() ? "" : " for " + unmatched.migration;
  return short_text(unmatched.rule + migration, k_longest_line);
}

void add_stale(Lines& lines, const record::Run& run, const Paint& paint) {
  for (const record::Unmatched& stale : run.stale) {
    lines.push_back(fmt::format("{}{}: nothing in this run answers to {}", place_of(stale, paint),
                                paint.yellow("stale"), what_of(stale)));
  }
}

void add_missing(Lines& lines, const record::Run& run, const Paint& paint) {
  for (const record::Unmatched& missing : run.missing_expected) {
    lines.push_back(fmt::format("{}{}: expected, but not found: {}", place_of(missing, paint),
                                paint.red("error"), what_of(missing)));
  }
}

std::string painted_verdict(const std::string& line, record::Verdict verdict, const Paint& paint) {
  const std::string text = short_text(line, k_longest_message);
  const std::size_t colon = text.find(':');
  const std::string_view word = std::string_view(text).substr(0, colon);
  const std::string head = verdict == record::Verdict::pass ? paint.bold(paint.green(word)) : paint.red(word);
  return colon == std::string::npos ? head : head + text.substr(colon);
}

Lines failure_lines(const Failure& failure, const Paint& paint) {
  const std::string place = failure.location ? paint.bold(readable(to_string(*failure.location))) + ": " : "";
  // A server's message may have lines of its own.
  const Lines message = readable_lines(failure.message);
  Lines lines{fmt::format("{}{}: {}", place, paint.red("error"), message.front())};
  for (std::size_t i = 1; i < message.size(); ++i) lines.push_back("    " + paint.dim("│ ") + message[i]);
  for (const std::string& line : readable_lines(failure.hint)) {
    if (!line.empty()) lines.push_back("    " + paint.green("hint:") + " " + line);
  }
  return lines;
}

Lines verdict_lines(const record::Run& run, const Paint& paint) {
  if (run.failure) return failure_lines(*run.failure, paint);
  return {painted_verdict(verdict_line(run), run.verdict, paint)};
}

}  // namespace

std::string Paint::in(std::string_view code, std::string_view text) const {
  return m_colour == Colour::yes ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

std::string harmless_in_workflows(std::string line) {
  for (std::size_t at = line.find("##["); at != std::string::npos; at = line.find("##[", at))
    line.replace(at, 3, "## [");
  const std::size_t first = line.find_first_not_of(' ');
  if (first != std::string::npos && line.compare(first, 2, "::") == 0) line.insert(first, "· ");
  return line;
}

std::vector<std::string> header_lines(const record::Run& run, std::size_t on_trial, const Paint& paint) {
  Lines facts{short_text(server_of(run), 40),
              run.queries_alone ? "queries alone"
                                : counted(static_cast<std::int64_t>(on_trial), "migration") + " on trial",
              run.base_rows > 0 ? counted(run.base_rows, "row") : "no rows"};
  if (run.applied > 0) facts[1] += fmt::format(" after {} applied", grouped(run.applied));
  if (!run.format.empty()) facts.insert(facts.begin(), short_text(run.format, 40));
  if (run.timings.from_snapshot) facts.emplace_back("from snapshot");
  return {paint.bold(short_text(run.scenario, k_longest_label)) + paint.dim(" · " + join(facts, " · "))};
}

std::vector<std::string> migration_lines(const record::MigrationRecord& migration, std::string_view prefix,
                                         const Paint& paint, Detail detail) {
  const auto stages = stages_of(migration);
  Lines facts;
  for (const StageResult& stage : stages) facts.push_back(stage_text(stage, paint));
  const std::string run = prefix.empty() ? "" : "  " + paint.dim(short_text(prefix, 24) + " │");
  const std::string line = line_of(worst_of(stages), title_of(migration), facts, paint);
  Lines lines{run.empty() ? line : run + line.substr(1)};
  if (detail != Detail::verbose) return lines;
  add_side(lines, "up", migration.forward, paint);
  add_side(lines, "down", migration.back, paint);
  add_side(lines, "again", migration.again, paint);
  return lines;
}

std::string progress_line(std::string_view scenario, std::string_view what, const Paint& paint) {
  const std::string run = scenario.empty() ? "" : std::string(scenario) + ": ";
  // Shorter than any terminal is wide: a line that wraps could not be wiped off again.
  return "  " + paint.dim("… " + short_text(run + std::string(what), 72));
}

std::vector<std::string> outcome_lines(const record::Run& run, bool several, const Paint& paint,
                                       Detail detail) {
  Lines lines;
  if (detail != Detail::quiet) {
    if (several) lines.push_back(paint.bold(short_text(run.scenario, k_longest_label)));
    if (run.release) {
      for (const std::string& line : release_lines(run)) lines.push_back(readable(line));
    }
    add_chain(lines, run, paint);
    add_queries(lines, run, paint);
    add_invariants(lines, run, paint);
    add_remarks(lines, run, paint, detail);
  }
  Lines problems;
  if (detail != Detail::quiet) add_stale(problems, run, paint);
  const Lines findings = finding_lines(run, paint, detail);
  problems.insert(problems.end(), findings.begin(), findings.end());
  add_missing(problems, run, paint);
  if (!problems.empty() && !lines.empty()) lines.emplace_back();
  lines.insert(lines.end(), problems.begin(), problems.end());
  if (several) {
    Lines verdict = verdict_lines(run, paint);
    verdict.front().insert(0, paint.bold(short_text(run.scenario, k_longest_label)) + ": ");
    lines.insert(lines.end(), verdict.begin(), verdict.end());
  }
  if (detail != Detail::quiet) lines.emplace_back();
  return lines;
}

std::vector<std::string> last_lines(const record::Record& record, const Paint& paint) {
  Lines lines = record.runs.size() == 1 ? verdict_lines(record.runs.front(), paint)
                                        : Lines{painted_verdict(verdict_line(record), record.verdict, paint)};
  if (const record::Run* run = first_to_reproduce(record)) {
    lines.push_back(paint.bold("reproduce:") + " " + readable(run->reproduce));
  }
  for (const record::Run& run : record.runs) {
    if (!run.kept.empty()) lines.push_back(paint.bold("left running:") + " " + readable(run.kept));
  }
  return lines;
}

}  // namespace lockkeeper::report
