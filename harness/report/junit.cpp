#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "record/names.h"
#include "report/escape.h"
#include "report/forms.h"
#include "report/summary.h"

namespace lockkeeper::report {

namespace {

using record::Finding;
using record::Stage;

struct TestCase {
  std::string group;
  std::string name;
  record::Microseconds time{0};
  std::string skipped;                   ///< the reason; empty where it ran
  std::vector<const Finding*> findings;  ///< that stop the merge
  std::string failure;                   ///< what failed without a finding
  std::string error;

  bool failed() const { return !findings.empty() || !failure.empty(); }
};

struct Totals {
  std::size_t tests = 0;
  std::size_t failures = 0;
  std::size_t errors = 0;
  std::size_t skipped = 0;

  void add(const TestCase& test) {
    ++tests;
    if (!test.error.empty()) {
      ++errors;
    } else if (test.failed()) {
      ++failures;
    } else if (!test.skipped.empty()) {
      ++skipped;
    }
  }
};

struct Suite {
  const record::Run* run = nullptr;
  std::vector<TestCase> tests;
  Totals totals;
};

bool is_any_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// The stage that a finding of a migration speaks of.
Stage stage_of(const Finding& finding) {
  if (finding.rule == "chain-broken") return Stage::chain;
  if (is_any_of(finding.rule, {"again-fails", "again-differs"})) return Stage::again;
  if (finding.side) return *finding.side == record::Side::down ? Stage::back : Stage::forward;
  const bool of_the_way_back = is_any_of(
      finding.rule,
      {"down-missing", "schema-not-restored", "data-not-restored", "sequence-moved", "column-order-changed"});
  return of_the_way_back ? Stage::back : Stage::forward;
}

/// Takes the findings that stop the merge one by one, so that each fails exactly one test and none gets lost.
class Findings {
 public:
  explicit Findings(const record::Run& run) {
    for (const Finding& finding : run.findings) {
      if (stops_the_merge(run, finding)) m_left.push_back(&finding);
    }
  }

  template <typename Predicate>
  std::vector<const Finding*> take(Predicate belongs) {
    const auto rest = std::stable_partition(m_left.begin(), m_left.end(),
                                            [&](const Finding* finding) { return !belongs(*finding); });
    std::vector<const Finding*> taken(rest, m_left.end());
    m_left.erase(rest, m_left.end());
    return taken;
  }

  std::vector<const Finding*> left() const { return m_left; }

 private:
  std::vector<const Finding*> m_left;
};

void add_migration(Suite& suite, Findings& findings, const record::MigrationRecord& migration) {
  for (const StageResult& stage : stages_of(migration)) {
    TestCase test{title_of(migration),
                  std::string(record::name_of(stage.stage)),
                  stage.duration,
                  stage.reason,
                  {},
                  {},
                  {}};
    test.findings = findings.take([&](const Finding& finding) {
      return finding.migration == migration.version && stage_of(finding) == stage.stage;
    });
    suite.tests.push_back(std::move(test));
  }
}

void add_chain(Suite& suite, Findings& findings) {
  const ChainResult chain = chain_of(suite.run->chain);
  TestCase test{"chain", "chain", chain.back + chain.again, {}, {}, {}, {}};
  if (chain.outcome == Outcome::skipped) test.skipped = chain.reason;
  test.findings = findings.take([](const Finding& finding) { return stage_of(finding) == Stage::chain; });
  suite.tests.push_back(std::move(test));
}

/// Steps of a release's runbook, with the findings of the migration that a step applies. What a step says by
/// itself is no verdict: nobody may rely on it.
void add_steps(Suite& suite, Findings& findings) {
  for (const record::ReleaseStep& step : suite.run->release->steps) {
    TestCase test{"release", step.name, step.duration, {}, {}, {}, {}};
    test.findings = findings.take([&](const Finding& finding) {
      return !finding.migration.empty() && step.name == "apply " + finding.migration;
    });
    suite.tests.push_back(std::move(test));
  }
}

template <typename Observation>
void add_named(Suite& suite, Findings& findings, std::string_view group, std::string name,
               const Observation& observation) {
  TestCase test{std::string(group), std::move(name), {}, {}, {}, {}, {}};
  test.findings = findings.take([&](const Finding& finding) { return is_about(finding, observation); });
  suite.tests.push_back(std::move(test));
}

void add_queries(Suite& suite, Findings& findings) {
  for (const record::QueryObservation& query : suite.run->queries) {
    add_named(suite, findings, "queries", label_of(*suite.run, query), query);
    const double milliseconds = query.timing.head_median * static_cast<double>(query.timing.pairs);
    suite.tests.back().time = record::Microseconds(static_cast<std::int64_t>(milliseconds * 1000));
  }
}

void add_expectations(Suite& suite, Findings& findings) {
  for (const InvariantResult& invariant : invariants_of(*suite.run)) {
    add_named(suite, findings, "invariants", invariant.name, invariant);
  }
  for (const record::ExpectationObservation& expectation : suite.run->expectations) {
    add_named(suite, findings, "expectations", title_of(expectation), expectation);
  }
}

/// History rules and whatever else belongs to no test above: one test a rule.
void add_rest(Suite& suite, Findings& findings) {
  for (auto left = findings.left(); !left.empty(); left = findings.left()) {
    const std::string rule = left.front()->rule;
    TestCase test{"run", rule, {}, {}, {}, {}, {}};
    test.findings = findings.take([&](const Finding& finding) { return finding.rule == rule; });
    suite.tests.push_back(std::move(test));
  }
}

void add_missing(Suite& suite) {
  for (const record::Unmatched& missing : suite.run->missing_expected) {
    TestCase test{"expected findings", described(missing), {}, {}, {}, {}, {}};
    test.failure = "expected, but not found";
    suite.tests.push_back(std::move(test));
  }
}

void add_failure(Suite& suite) {
  if (suite.run->verdict != record::Verdict::error && !suite.run->failure) return;
  TestCase test{"run", "run", suite.run->timings.total, {}, {}, {}, {}};
  test.error = suite.run->failure ? to_string(*suite.run->failure) : verdict_line(*suite.run);
  suite.tests.push_back(std::move(test));
}

Suite suite_of(const record::Run& run) {
  Suite suite{&run, {}, {}};
  Findings findings(run);
  if (run.release) {
    add_steps(suite, findings);
  } else {
    // First of all, since a broken chain may name the migration at which it broke.
    add_chain(suite, findings);
    for (const record::MigrationRecord& migration : run.migrations) add_migration(suite, findings, migration);
  }
  add_queries(suite, findings);
  add_expectations(suite, findings);
  add_rest(suite, findings);
  add_missing(suite);
  add_failure(suite);
  for (const TestCase& test : suite.tests) suite.totals.add(test);
  return suite;
}

std::string seconds(record::Microseconds duration) {
  return fmt::format("{:.6f}", static_cast<double>(duration.count()) / 1e6);
}

/// The usual schema for JUnit files takes neither fractions nor a zone.
std::string timestamp(const record::Record& record) {
  return record.started_at.substr(0, 19);
}

std::string counters(const Totals& totals) {
  return fmt::format(R"(tests="{}" failures="{}" errors="{}" skipped="{}")", totals.tests, totals.failures,
                     totals.errors, totals.skipped);
}

std::string text_lines(std::string_view text) {
  std::string result;
  for (const std::string& line : readable_lines(text)) result += xml_text(line) + "\n";
  return result;
}

std::string finding_text(const record::Run& run, const Finding& finding) {
  const std::string subject = subject_of(run, finding);
  const std::string place = finding.location  ? to_string(*finding.location) + ": "
                            : subject.empty() ? ""
                                              : subject + ": ";
  std::string text =
      fmt::format("{}{}: {} [{}]\n", place, record::name_of(finding.level), finding.message, finding.rule);
  if (!finding.statement.empty()) text += "  " + finding.statement + "\n";
  for (const std::string& evidence : finding.evidence) {
    for (const std::string& line : readable_lines(evidence)) text += "  " + line + "\n";
  }
  if (!finding.advice.empty()) text += "  instead: " + finding.advice + "\n";
  if (finding.allowed) text += "  allowed: " + finding.reason + "\n";
  return text;
}

std::string problem_element(const record::Run& run, const TestCase& test) {
  if (!test.error.empty()) {
    return fmt::format("      <error message=\"{}\" type=\"error\">{}</error>\n", xml_text(test.error),
                       text_lines(test.error));
  }
  if (!test.failure.empty()) {
    return fmt::format("      <failure message=\"{}\" type=\"expected-finding-missing\"/>\n",
                       xml_text(test.failure));
  }
  const Finding& first = *test.findings.front();
  std::string texts;
  for (const Finding* finding : test.findings) texts += finding_text(run, *finding);
  const std::string more =
      test.findings.size() > 1 ? fmt::format(" (and {} more)", test.findings.size() - 1) : std::string();
  return fmt::format("      <failure message=\"{}\" type=\"{}\">{}</failure>\n",
                     xml_text(first.message + more), xml_text(first.rule), text_lines(texts));
}

std::string test_element(const record::Run& run, const TestCase& test) {
  const std::string head =
      fmt::format(R"(    <testcase classname="{}" name="{}" time="{}")",
                  xml_text(run.scenario + "." + test.group), xml_text(test.name), seconds(test.time));
  std::string inner;
  if (!test.error.empty() || test.failed()) {
    inner = problem_element(run, test);
  } else if (!test.skipped.empty()) {
    inner = fmt::format("      <skipped message=\"{}\"/>\n", xml_text(test.skipped));
  }
  return inner.empty() ? head + "/>\n" : fmt::format("{}>\n{}    </testcase>\n", head, inner);
}

std::string properties_element(const record::Run& run) {
  const std::array<std::pair<std::string_view, std::string>, 5> pairs{
      {{"server", server_of(run)},
       {"base rows", std::to_string(run.base_rows)},
       {"gate", std::string(record::name_of(run.gate))},
       {"verdict", std::string(record::name_of(run.verdict))},
       {"reproduce", run.reproduce}}};
  std::string text = "    <properties>\n";
  for (const auto& [name, value] : pairs) {
    text += fmt::format("      <property name=\"{}\" value=\"{}\"/>\n", name, xml_text(value));
  }
  return text + "    </properties>\n";
}

/// Findings that stop nothing are no failures, but they are not to be lost either.
std::string output_element(const record::Run& run) {
  std::string text;
  for (const Finding& finding : run.findings) {
    if (!stops_the_merge(run, finding)) text += finding_text(run, finding);
  }
  for (const record::Unmatched& stale : run.stale) text += "stale: " + described(stale) + "\n";
  for (const std::string& remark : run.remarks) text += "remark: " + remark + "\n";
  for (const std::string& file : run.not_taken) text += "not taken: " + file + "\n";
  return text.empty() ? "" : fmt::format("    <system-out>{}</system-out>\n", text_lines(text));
}

std::string suite_element(const record::Record& record, const Suite& suite) {
  const record::Run& run = *suite.run;
  const std::string host = record.host.empty() ? "" : fmt::format(" hostname=\"{}\"", xml_text(record.host));
  std::string text = fmt::format("  <testsuite name=\"{} ({})\" {} time=\"{}\" timestamp=\"{}\"{}>\n",
                                 xml_text(run.scenario), xml_text(server_of(run)), counters(suite.totals),
                                 seconds(run.timings.total), xml_text(timestamp(record)), host);
  text += properties_element(run);
  for (const TestCase& test : suite.tests) text += test_element(run, test);
  return text + output_element(run) + "  </testsuite>\n";
}

}  // namespace

std::string render_junit(const record::Record& record) {
  std::string suites;
  Totals totals;
  record::Microseconds time{0};
  for (const record::Run& run : record.runs) {
    const Suite suite = suite_of(run);
    for (const TestCase& test : suite.tests) totals.add(test);
    time += run.timings.total;
    suites += suite_element(record, suite);
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"lockkeeper\" {} "
      "time=\"{}\">\n{}</testsuites>\n",
      counters(totals), seconds(time), suites);
}

}  // namespace lockkeeper::report
