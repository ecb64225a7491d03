#include "report/summary.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "base/text.h"
#include "record/names.h"
#include "report/release_text.h"

namespace lockkeeper::report {

namespace {

using record::Level;
using record::Stage;
using record::Verdict;

bool is_only_the_order_of_columns(const record::ObjectDifference& object) {
  return object.change == record::Change::altered && object.kind == "column" && !object.attributes.empty() &&
         std::all_of(object.attributes.begin(), object.attributes.end(),
                     [](const auto& attribute) { return attribute.name == "position"; });
}

bool differs(const record::StateDifference& difference) {
  return !difference.data.empty() ||
         !std::all_of(difference.objects.begin(), difference.objects.end(), is_only_the_order_of_columns);
}

StageResult stage_result(const record::MigrationRecord& migration, Stage stage,
                         const std::optional<record::SideRun>& run, bool left_a_difference) {
  StageResult result{stage, Outcome::ok, {}, {}};
  if (run) {
    result.duration = run->duration;
    result.outcome = run->error ? Outcome::failed : left_a_difference ? Outcome::differs : Outcome::ok;
    return result;
  }
  const auto skipped = std::find_if(migration.skipped.begin(), migration.skipped.end(),
                                    [&](const auto& candidate) { return candidate.stage == stage; });
  result.outcome = Outcome::skipped;
  result.reason = skipped == migration.skipped.end() ? "not reached" : skipped->reason;
  return result;
}

record::Microseconds time_of(const std::vector<record::ChainRecord::Step>& steps) {
  return std::accumulate(steps.begin(), steps.end(), record::Microseconds{0},
                         [](auto sum, const auto& step) { return sum + step.run.duration; });
}

const record::ChainRecord::Step* failed_step(const std::vector<record::ChainRecord::Step>& steps) {
  const auto found =
      std::find_if(steps.begin(), steps.end(), [](const auto& step) { return step.run.error.has_value(); });
  return found == steps.end() ? nullptr : &*found;
}

/// A finding names its query, invariant or expectation only in its message.
bool names(const record::Finding& finding, const std::string& name) {
  return finding.message.find(name) != std::string::npos;
}

bool expects_findings(const record::Run& run) {
  return !run.missing_expected.empty() || std::any_of(run.findings.begin(), run.findings.end(),
                                                      [](const auto& finding) { return finding.expected; });
}

std::string expected_rules(const record::Run& run) {
  std::vector<std::string> rules;
  for (const record::Finding& finding : run.findings) {
    if (finding.expected && std::find(rules.begin(), rules.end(), finding.rule) == rules.end()) {
      rules.push_back(finding.rule);
    }
  }
  return join(rules, ", ");
}

std::size_t& count_for(Counts& counts, const record::Finding& finding) {
  if (finding.allowed) return counts.allowed;
  if (finding.expected) return counts.expected;
  if (finding.level == Level::error) return counts.errors;
  return finding.level == Level::warning ? counts.warnings : counts.notes;
}

std::string counted_size(std::size_t number, std::string_view noun) {
  return counted(static_cast<std::int64_t>(number), noun);
}

/// What else was found where findings were expected; empty where nothing was.
std::string besides(const Counts& counts) {
  std::string text;
  if (counts.errors > 0) text += ", " + counted_size(counts.errors, "error");
  if (counts.warnings > 0) text += ", " + counted_size(counts.warnings, "warning");
  if (counts.notes > 0) text += ", " + counted_size(counts.notes, "note");
  return text;
}

std::string verdict_word(const record::Run& run) {
  if (run.release) return std::string(word_of(run.release->decision));
  return run.verdict == Verdict::pass ? "may merge" : "may not merge";
}

}  // namespace

std::string_view mark_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return "✔";
    case Outcome::skipped:
      return "–";
    case Outcome::differs:
      return "≠";
    case Outcome::failed:
      break;
  }
  return "✘";
}

std::vector<StageResult> stages_of(const record::MigrationRecord& migration) {
  return {stage_result(migration, Stage::forward, migration.forward, false),
          stage_result(migration, Stage::back, migration.back,
                       differs(migration.back_difference) || migration.down_did_nothing),
          stage_result(migration, Stage::again, migration.again, differs(migration.again_difference))};
}

Outcome worst_of(const std::vector<StageResult>& stages) {
  Outcome worst = Outcome::ok;
  for (const StageResult& stage : stages) worst = std::max(worst, stage.outcome);
  return worst;
}

ChainResult chain_of(const record::ChainRecord& chain) {
  ChainResult result{Outcome::ok, time_of(chain.back), time_of(chain.again), {}};
  const auto* failed = failed_step(chain.back);
  if (failed == nullptr) failed = failed_step(chain.again);
  if (!chain.ran) {
    result.outcome = Outcome::skipped;
    result.reason = chain.skipped_reason.empty() ? "not reached" : chain.skipped_reason;
  } else if (failed != nullptr) {
    result.outcome = Outcome::failed;
    result.reason = failed->version;
  } else if (differs(chain.back_difference) || differs(chain.again_difference)) {
    result.outcome = Outcome::differs;
  }
  return result;
}

std::string_view word_of(Stage stage) {
  switch (stage) {
    case Stage::forward:
      return "up";
    case Stage::back:
      return "down";
    case Stage::again:
      return "again";
    case Stage::after_writes:
      return "down after writes";
    case Stage::interrupted:
      return "interrupted";
    case Stage::queue:
      return "queue";
    case Stage::traffic:
      return "traffic";
    case Stage::chain:
      return "chain";
    case Stage::queries:
      break;
  }
  return "queries";
}

std::vector<SkipCount> skips_of(const record::Run& run) {
  if (run.release) return {};
  std::vector<SkipCount> skips;
  for (const record::MigrationRecord& migration : run.migrations) {
    for (const StageResult& stage : stages_of(migration)) {
      if (stage.outcome != Outcome::skipped) continue;
      const auto alike = std::find_if(skips.begin(), skips.end(), [&](const SkipCount& skip) {
        return skip.stage == stage.stage && skip.reason == stage.reason;
      });
      if (alike == skips.end()) {
        skips.push_back({stage.stage, stage.reason, 1});
      } else {
        ++alike->count;
      }
    }
  }
  std::stable_sort(skips.begin(), skips.end(),
                   [](const auto& a, const auto& b) { return a.count > b.count; });
  return skips;
}

std::string described(const std::vector<SkipCount>& skips) {
  std::vector<std::string> parts;
  for (const SkipCount& skip : skips) {
    parts.push_back(fmt::format("{} ×{} ({})", word_of(skip.stage), skip.count, skip.reason));
  }
  return join(parts, ", ");
}

Counts counts_of(const record::Run& run) {
  Counts counts;
  counts.migrations = run.migrations.size();
  if (run.queries_alone) {
    counts.queries = run.queries.size();
    counts.sizes = run.sizes.size();
  }
  counts.missing = run.missing_expected.size();
  for (const record::Finding& finding : run.findings) ++count_for(counts, finding);
  return counts;
}

Counts counts_of(const record::Record& record) {
  Counts sum;
  for (const record::Run& run : record.runs) {
    const Counts counts = counts_of(run);
    sum.migrations += counts.migrations;
    sum.queries += counts.queries;
    sum.sizes += counts.sizes;
    sum.errors += counts.errors;
    sum.warnings += counts.warnings;
    sum.notes += counts.notes;
    sum.allowed += counts.allowed;
    sum.expected += counts.expected;
    sum.missing += counts.missing;
  }
  return sum;
}

/// What was judged.
std::string subject_of(const Counts& counts) {
  if (counts.queries == 0 && counts.sizes == 0) return counted_size(counts.migrations, "migration");
  const std::string queries =
      counts.queries == 0 ? counted_size(counts.sizes, "size") : counted_queries(counts.queries);
  return counts.migrations == 0 ? queries : counted_size(counts.migrations, "migration") + ", " + queries;
}

std::string described(const Counts& counts) {
  std::string text =
      fmt::format("{}, {}, {}, {}", subject_of(counts), counted_size(counts.errors, "error"),
                  counted_size(counts.warnings, "warning"), counted_size(counts.notes, "note"));
  if (counts.allowed > 0) text += fmt::format(", {} allowed", counts.allowed);
  if (counts.expected > 0) text += fmt::format(", {} expected", counts.expected);
  if (counts.missing > 0)
    text += fmt::format(", {} missing", counted_size(counts.missing, "expected finding"));
  return text;
}

bool stops_the_merge(const record::Run& run, const record::Finding& finding) {
  return !finding.allowed && !finding.expected && finding.level >= run.gate;
}

std::string verdict_line(const record::Run& run) {
  const std::string time = human(run.timings.total);
  if (run.failure) return "error: " + run.failure->message;
  if (run.verdict == Verdict::error) return "error: the run did not come to its end";
  const Counts counts = counts_of(run);
  if (run.verdict == Verdict::pass && expects_findings(run)) {
    return fmt::format("as expected: {} ({}) in {}{}, {}", counted_size(counts.expected, "finding"),
                       expected_rules(run), subject_of(counts), besides(counts), time);
  }
  return fmt::format("{}: {}, {}", verdict_word(run), described(counts), time);
}

std::string verdict_line(const record::Record& record) {
  if (record.runs.size() == 1) return verdict_line(record.runs.front());
  const auto passed = std::count_if(record.runs.begin(), record.runs.end(),
                                    [](const auto& run) { return run.verdict == Verdict::pass; });
  const auto total = static_cast<std::int64_t>(record.runs.size());
  if (record.runs.empty()) return "error: nothing ran";
  const std::string runs = passed == total
                               ? fmt::format("all {} passed", counted(total, "run"))
                               : fmt::format("{} of {} did not pass", total - passed, counted(total, "run"));
  const bool releases = record.runs.front().release.has_value();
  const std::string_view word = record.verdict == Verdict::error  ? "error"
                                : record.verdict == Verdict::pass ? (releases ? "go" : "may merge")
                                                                  : (releases ? "no-go" : "may not merge");
  return fmt::format("{}: {}, {}", word, runs, described(counts_of(record)));
}

const record::Run* first_to_reproduce(const record::Record& record) {
  const auto found = std::find_if(record.runs.begin(), record.runs.end(), [](const auto& run) {
    return run.verdict != Verdict::pass && !run.reproduce.empty();
  });
  return found == record.runs.end() ? nullptr : &*found;
}

std::string title_of(const record::MigrationRecord& migration) {
  return migration.name.empty() ? migration.version : migration.version + " " + migration.name;
}

std::string subject_of(const record::Run& run, const record::Finding& finding) {
  const auto found = std::find_if(run.migrations.begin(), run.migrations.end(), [&](const auto& migration) {
    return migration.version == finding.migration;
  });
  std::string subject = found == run.migrations.end() ? finding.migration : title_of(*found);
  if (finding.side && !subject.empty()) subject += fmt::format(", {}", record::name_of(*finding.side));
  return subject;
}

std::string server_of(const record::Run& run) {
  return run.server.version.empty() ? run.server.engine : run.server.engine + " " + run.server.version;
}

std::string counted_queries(std::size_t number) {
  return number == 1 ? "1 query" : grouped(static_cast<std::int64_t>(number)) + " queries";
}

std::string label_of(const record::Run& run, const record::QueryObservation& query) {
  const auto sets = std::count_if(run.queries.begin(), run.queries.end(),
                                  [&](const auto& other) { return other.name == query.name; });
  return sets < 2 ? query.name : fmt::format("{} ({})", query.name, query.parameters);
}

std::string speed_of(const record::QueryObservation& query) {
  const auto& timing = query.timing;
  if (timing.pairs == 0 || timing.ratio <= 0) return "not timed";
  const bool open = timing.verdict == record::TimeVerdict::not_decided;
  const double ratio = std::max(timing.ratio, 1 / timing.ratio);
  // Where the bounds hold no change, or a small one, there is nothing to be said of it.
  if (ratio < 1.05) return open ? "not decided" : "as fast";
  return fmt::format("{:.{}f}× {}{}", ratio, ratio < 10 ? 1 : 0, timing.ratio < 1 ? "faster" : "slower",
                     open ? ", not decided" : "");
}

std::string bounds_of(const record::QueryObservation& query) {
  const auto& timing = query.timing;
  if (timing.pairs == 0) return "";
  const double ratio = std::max(timing.ratio, 1 / timing.ratio);
  if (timing.ratio >= 1 || ratio < 1.05)
    return fmt::format("{:.2f} to {}", timing.ratio_low,
                       timing.ratio_high ? fmt::format("{:.2f}", *timing.ratio_high) : "?");
  const int digits = ratio < 10 ? 1 : 0;
  return fmt::format("{} to {}",
                     timing.ratio_high ? fmt::format("{:.{}f}", 1 / *timing.ratio_high, digits) : "?",
                     timing.ratio_low > 0 ? fmt::format("{:.{}f}", 1 / timing.ratio_low, digits) : "?");
}

std::string claim_of(const record::QueryObservation& query) {
  const auto& timing = query.timing;
  if (timing.pairs == 0 || timing.limit <= 0 || timing.limit >= 1) return "";
  const std::string_view holds = timing.verdict == record::TimeVerdict::within   ? "holds"
                                 : timing.verdict == record::TimeVerdict::beyond ? "does not hold"
                                                                                 : "not decided";
  return fmt::format("{:.3g}× claimed: {}", 1 / timing.limit, holds);
}

std::string time_text(double milliseconds) {
  return milliseconds <= 0 ? "–" : human_milliseconds(milliseconds);
}

std::string cost_text(const record::IndexCost& cost) {
  std::vector<std::string> parts{human_bytes(static_cast<std::uint64_t>(cost.bytes))};
  if (cost.build.count() > 0) parts.push_back("built in " + human(cost.build));
  std::string text = fmt::format("index {} on {}: {}; ", cost.index, cost.table, join(parts, ", "));
  text += cost.used_by.empty() ? "used by no critical query" : "used by " + join(cost.used_by, ", ");
  if (!cost.supersedes.empty()) text += "; makes " + join(cost.supersedes, ", ") + " redundant";
  return text;
}

std::string size_text(const record::SizeObservation& size) {
  const auto bytes = [](const std::optional<std::int64_t>& value) {
    return value ? human_bytes(static_cast<std::uint64_t>(*value)) : std::string("not there");
  };
  std::string text = fmt::format("{}: {} → {}", size.what, bytes(size.base_bytes), bytes(size.head_bytes));
  if (size.base_bytes && size.head_bytes && *size.base_bytes > 0)
    text += fmt::format(", {:.2f}×",
                        static_cast<double>(*size.head_bytes) / static_cast<double>(*size.base_bytes));
  const bool holds =
      size.base_bytes && size.head_bytes &&
      static_cast<double>(*size.head_bytes) <= size.at_most * static_cast<double>(*size.base_bytes);
  return text + fmt::format("; {:.3g}× claimed: {}", size.at_most, holds ? "holds" : "does not hold");
}

std::string timing_text(const record::Run& run) {
  const record::QueryTiming* first = nullptr;
  std::int64_t timed = 0;
  std::int64_t dropped = 0;
  for (const auto& query : run.queries) {
    if (query.timing.pairs == 0) continue;
    if (first == nullptr) first = &query.timing;
    ++timed;
    dropped += query.timing.dropped;
  }
  if (first == nullptr || first->error_rate <= 0) return "";
  if (first->core < 0) {
    return fmt::format(
        "{} in pairs, free to move between cores: slower is what is so in several sessions, seed {}",
        counted(timed, "time"), first->seed);
  }
  std::string text = fmt::format("{} in pairs, {}, seed {}, each bound wrong at most once in {} runs",
                                 counted(timed, "time"), fmt::format("pinned to core {}", first->core), first->seed, grouped(std::llround(1 / first->error_rate)));
  if (dropped > 0) text += fmt::format(", {} dropped", counted(dropped, "pair"));
  return text;
}

/// The rules of queries begin with the query, and with its parameters where several sets were tried: "query
/// 'a' with (1) takes …". A claim of sizes may hold the same words.
bool is_about(const record::Finding& finding, const record::QueryObservation& query) {
  static constexpr std::array<std::string_view, 7> k_rules{
      "query-fails",  "query-result-changed", "index-not-used",   "plan-regressed",
      "query-slower", "claim-not-met",        "query-not-decided"};
  const std::string title = fmt::format("query '{}' ", query.name);
  if (std::find(k_rules.begin(), k_rules.end(), finding.rule) == k_rules.end() ||
      !finding.message.starts_with(title))
    return false;
  return !finding.message.starts_with(title + "with (") ||
         finding.message.starts_with(fmt::format("{}with ({}) ", title, query.parameters));
}

Outcome outcome_of(const record::Run& run, const record::QueryObservation& query) {
  const bool stopped = std::any_of(run.findings.begin(), run.findings.end(), [&](const auto& finding) {
    return stops_the_merge(run, finding) && is_about(finding, query);
  });
  if (query.head_error || stopped) return Outcome::failed;
  return query.same_result || query.ambiguous_result || query.not_deterministic ? Outcome::ok
                                                                                : Outcome::differs;
}

std::string plan_of(const record::QueryObservation& query) {
  std::vector<std::string> parts;
  if (!query.head_plan.indexes.empty()) parts.push_back("uses " + join(query.head_plan.indexes, ", "));
  if (!query.head_plan.sequential_scans.empty()) {
    parts.push_back("reads all of " + join(query.head_plan.sequential_scans, ", "));
  }
  return join(parts, "; ");
}

std::vector<InvariantResult> invariants_of(const record::Run& run) {
  std::vector<InvariantResult> results;
  for (const record::InvariantObservation& observation : run.invariants) {
    auto found = std::find_if(results.begin(), results.end(),
                              [&](const auto& result) { return result.name == observation.name; });
    if (found == results.end()) found = results.insert(results.end(), {observation.name, 0, {}});
    ++found->times;
    const std::string answer = observation.error ? "error: " + observation.error->message : observation.value;
    if (std::find(found->answers.begin(), found->answers.end(), answer) == found->answers.end()) {
      found->answers.push_back(answer);
    }
  }
  return results;
}

bool is_about(const record::Finding& finding, const InvariantResult& invariant) {
  return finding.rule == "invariant-broken" && names(finding, invariant.name);
}

bool is_about(const record::Finding& finding, const record::ExpectationObservation& expectation) {
  return finding.rule == "expectation-not-met" && names(finding, title_of(expectation));
}

std::string title_of(const record::ExpectationObservation& expectation) {
  return expectation.description.empty() ? fmt::format("expectation {}", expectation.index + 1)
                                         : expectation.description;
}

std::string described(const record::Unmatched& unmatched) {
  std::string text = unmatched.rule;
  if (!unmatched.migration.empty()) text += " for " + unmatched.migration;
  const std::string place = to_string(unmatched.location);
  return place.empty() ? text : text + " at " + place;
}

}  // namespace lockkeeper::report
