#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "record/record.h"

/// What every report says of a record, said once.
namespace lockkeeper::report {

enum class Outcome { ok, skipped, differs, failed };

/// ✔ – ≠ ✘
std::string_view mark_of(Outcome outcome);

struct StageResult {
  record::Stage stage = record::Stage::forward;
  Outcome outcome = Outcome::ok;
  record::Microseconds duration{0};
  std::string reason;  ///< of skipping
};

/// forward, back and again, in this order. What a stage did not restore makes it `differs`, whatever the
/// rules say of it, but for the order of columns.
std::vector<StageResult> stages_of(const record::MigrationRecord& migration);
Outcome worst_of(const std::vector<StageResult>& stages);

struct ChainResult {
  Outcome outcome = Outcome::ok;
  record::Microseconds back{0};
  record::Microseconds again{0};
  std::string reason;  ///< of skipping, or the version whose step failed
};
ChainResult chain_of(const record::ChainRecord& chain);

/// "up", "down", "again", "chain", "queries": the words of reports for stages.
std::string_view word_of(record::Stage stage);

struct SkipCount {
  record::Stage stage = record::Stage::back;
  std::string reason;
  int count = 0;
};
/// The skipped stages of all migrations of a run, alike ones counted together, most frequent first.
std::vector<SkipCount> skips_of(const record::Run& run);
/// "down ×3 (no down side), again ×1 (the up failed)"
std::string described(const std::vector<SkipCount>& skips);

struct Counts {
  std::size_t migrations = 0;
  std::size_t queries = 0;  ///< of runs that compare nothing else
  std::size_t sizes = 0;    ///< the same
  std::size_t errors = 0;   ///< with warnings and notes: neither allowed nor expected
  std::size_t warnings = 0;
  std::size_t notes = 0;
  std::size_t allowed = 0;
  std::size_t expected = 0;
  std::size_t missing = 0;  ///< expected findings that did not appear
};
Counts counts_of(const record::Run& run);
Counts counts_of(const record::Record& record);
/// "12 migrations, 0 errors, 2 warnings, 1 note", and what is allowed, expected or missing where there is
/// any.
std::string described(const Counts& counts);

/// Does the finding by itself keep the run from passing?
bool stops_the_merge(const record::Run& run, const record::Finding& finding);

/// "may merge: …", "may not merge: …", "as expected: …" or "error: …", with counts and time.
std::string verdict_line(const record::Run& run);
/// The same over every run.
std::string verdict_line(const record::Record& record);

/// The first run that did not pass and knows how to be run again; null where there is none.
const record::Run* first_to_reproduce(const record::Record& record);

/// "0002 add email"
std::string title_of(const record::MigrationRecord& migration);
/// The migration's title, else the bare version, with the side: "0002 add email, down".
std::string subject_of(const record::Run& run, const record::Finding& finding);

/// "postgres 15.20"
std::string server_of(const record::Run& run);

/// "1 query", "3 queries"
std::string counted_queries(std::size_t number);
/// A query's name, with its parameters where several sets of them were tried.
std::string label_of(const record::Run& run, const record::QueryObservation& query);
/// Of the times: "15× faster", "1.4× slower", "as fast", with ", not decided" where that stayed open; "not
/// timed".
std::string speed_of(const record::QueryObservation& query);
/// "13 to 16": the bounds of what speed_of() says; empty where it was not timed.
std::string bounds_of(const record::QueryObservation& query);
/// "10× claimed: holds", of a query that claims to be faster; empty for others.
std::string claim_of(const record::QueryObservation& query);
/// "12.1 ms", or "–" for 0.
std::string time_text(double milliseconds);
/// "index a_b_idx on public.a: 2.1 MB, built in 40 ms; used by no critical query"
std::string cost_text(const record::IndexCost& cost);
/// "table sale: 2.1 MB → 1.0 MB, 0.48×; 0.3× claimed: does not hold"
std::string size_text(const record::SizeObservation& size);
/// How queries were timed: "pinned to core 1, seed 7, 12 comparisons"; empty where none was.
std::string timing_text(const record::Run& run);
/// `failed` too where a finding that stops the merge names the query.
Outcome outcome_of(const record::Run& run, const record::QueryObservation& query);
bool is_about(const record::Finding& finding, const record::QueryObservation& query);
/// The indexes and the tables read whole of head's plan; empty where there are none.
std::string plan_of(const record::QueryObservation& query);

/// All observations of one invariant.
struct InvariantResult {
  std::string name;
  std::size_t times = 0;
  std::vector<std::string> answers;  ///< distinct, in the order in which they were seen; errors as "error: …"
};
std::vector<InvariantResult> invariants_of(const record::Run& run);
bool is_about(const record::Finding& finding, const InvariantResult& invariant);
bool is_about(const record::Finding& finding, const record::ExpectationObservation& expectation);
/// The description, else "expectation 1".
std::string title_of(const record::ExpectationObservation& expectation);

/// "data-changed for 0001 at scenarios/shop.yaml:14:5"
std::string described(const record::Unmatched& unmatched);

}  // namespace lockkeeper::report
