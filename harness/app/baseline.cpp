#include <ctime>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "app/app.h"
#include "app/options.h"
#include "base/file.h"
#include "base/text.h"
#include "record/json.h"

namespace lockkeeper::app {

namespace {

namespace po = boost::program_options;

/// JSON's strings are YAML's double-quoted ones.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string utc_date() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[16];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d", &parts)};
}

struct Baseline {
  std::string text;
  std::size_t written = 0;
  std::size_t of_no_migration = 0;
};

/// Each rule and migration once, in the order of the findings. Notes stop nobody, and what is declared is
/// declared.
Baseline baseline_of(const record::Record& record, const std::string& reason, const std::string& until) {
  Baseline baseline;
  std::set<std::pair<std::string, std::string>> seen;
  for (const record::Run& run : record.runs) {
    for (const record::Finding& finding : run.findings) {
      if (finding.allowed || finding.expected || finding.level == record::Level::note) continue;
      if (finding.migration.empty()) {
        ++baseline.of_no_migration;
        continue;
      }
      if (!seen.emplace(finding.rule, finding.migration).second) continue;
      baseline.text += fmt::format("  # {}\n  - {{rule: {}, migration: {}, reason: {}{}}}\n",
                                   abridged(finding.message, 110), finding.rule, quoted(finding.migration),
                                   quoted(reason), until.empty() ? "" : ", until: " + until);
      ++baseline.written;
    }
  }
  baseline.text = baseline.written == 0 ? "allow: []\n" : "allow:\n" + baseline.text;
  return baseline;
}

}  // namespace

Result<ExitCode> baseline_command(const std::vector<std::string>& arguments) {
  po::options_description options("options");
  options.add_options()(
      "reason", po::value<std::string>()->value_name("TEXT"),
      "why these findings are let through (default: found when lockkeeper came, with the day)")(
      "until", po::value<std::string>()->value_name("YYYY-MM-DD"), "last day on which they are")("help,h",
                                                                                                 "this help");
  const auto parsed = parse("baseline", options, arguments);
  if (!parsed) return failed(parsed);
  if (parsed->help_shown) return ExitCode::pass;
  if (parsed->positional.size() != 1) {
    return failed(FailureKind::usage, "baseline takes one record",
                  "lockkeeper check db/migrations --report json=run.json, then lockkeeper baseline run.json");
  }
  const std::string until = parsed->text("until");
  if (!until.empty() && !is_date(until))
    return failed(FailureKind::usage, fmt::format("--until '{}': no day, write YYYY-MM-DD", until));
  const auto text = read_file(parsed->positional.front());
  if (!text) return failed(text);
  const auto record = record::from_json(*text);
  if (!record) return failed(record);
  for (const record::Run& run : record->runs) {
    if (!run.failure) continue;
    return failed(
        FailureKind::usage,
        fmt::format("'{}' ended early and has not seen everything: {}", run.scenario, run.failure->message),
        "a baseline of half a history would let the other half through unseen");
  }
  const std::string reason =
      parsed->has("reason") ? parsed->text("reason") : "found when lockkeeper came, " + utc_date();
  const Baseline baseline = baseline_of(*record, reason, until);
  fmt::print(
      "# lockkeeper {}: what the history had when this was written. Read by check --baseline; what is\n"
      "# added to the history is held to every rule, and lines that nothing answers to are reported as "
      "stale.\n{}",
      LOCKKEEPER_VERSION, baseline.text);
  fmt::print(stderr, "{} let through\n", counted(static_cast<std::int64_t>(baseline.written), "finding"));
  if (baseline.of_no_migration > 0) {
    fmt::print(stderr, "{} of no single migration left out: allow it in a scenario, or mend it\n",
               counted(static_cast<std::int64_t>(baseline.of_no_migration), "finding"));
  }
  return ExitCode::pass;
}

}  // namespace lockkeeper::app
