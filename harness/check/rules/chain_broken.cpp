#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/text.h"
#include "check/describe.h"
#include "check/error_advice.h"
#include "check/finding.h"
#include "check/rules/rules.h"

namespace lockkeeper::check {

namespace {

using record::ChainRecord;
using record::MigrationRecord;
using record::Side;

const ChainRecord::Step* failed_step(const std::vector<ChainRecord::Step>& steps) {
  const auto found = std::find_if(steps.begin(), steps.end(),
                                  [](const ChainRecord::Step& step) { return step.run.error.has_value(); });
  return found == steps.end() ? nullptr : &*found;
}

/// What the side did where it ran alone; empty where it did not get to run.
std::string_view single_step(const MigrationRecord* migration, Side side, const record::SqlError& error) {
  if (migration == nullptr) return {};
  const auto& run = side == Side::down ? migration->back : migration->again;
  if (!run) return side == Side::up ? "after its single step back, up was not tried again" : "";
  if (run->error) return "it fails in its single step too";
  // 57014 query_canceled; what we stopped ourselves has no code.
  const bool out_of_time = error.sqlstate == "57014" || error.message.ends_with("(--timeout)");
  return out_of_time ? "its single step ended within the time"
                     : "its single step passes: another migration of the trial is in its way";
}

void report_step(const record::Run& run, const std::vector<ChainRecord::Step>& steps, Side side,
                 std::vector<record::Finding>& findings) {
  const ChainRecord::Step* step = failed_step(steps);
  if (step == nullptr) return;
  const std::string message = side == Side::down
                                  ? fmt::format("the way back as a whole stops at {}: {}", step->version,
                                                error_text(*step->run.error))
                                  : fmt::format("the way up again, after all was taken back, stops at {}: {}",
                                                step->version, error_text(*step->run.error));
  const MigrationRecord* migration = migration_of(run, step->version);
  record::Finding finding = migration != nullptr ? finding_of(k_chain_broken, *migration, side, message)
                                                 : finding_of(k_chain_broken, message);
  finding.migration = step->version;
  finding.side = side;
  blame_error(finding, step->run);
  std::vector<std::string> passed;
  for (const ChainRecord::Step* at = steps.data(); at != step; ++at) passed.push_back(at->version);
  if (!passed.empty()) finding.evidence.push_back(fmt::format("passed before it: {}", join(passed, ", ")));
  if (const auto line = single_step(migration, side, *step->run.error); !line.empty())
    finding.evidence.emplace_back(line);
  finding.advice = advice_for(*step->run.error, side, finding.statement);
  findings.push_back(std::move(finding));
}

bool speaks_of(const record::StateDifference& difference, const record::ObjectDifference& object) {
  return std::any_of(difference.objects.begin(), difference.objects.end(), [&](const auto& other) {
    return other.kind == object.kind && other.identity == object.identity;
  });
}

bool speaks_of(const record::StateDifference& difference, const record::DataDifference& data) {
  return std::any_of(difference.data.begin(), difference.data.end(),
                     [&](const auto& other) { return other.table == data.table; });
}

/// Whose residue it is: the last migration that leaves it in its single step too, else the last that touches
/// it.
template <typename Difference>
std::string origin(const record::Run& run, const Difference& difference,
                   record::StateDifference MigrationRecord::*single) {
  for (const auto member : {single, &MigrationRecord::forward_change}) {
    const auto found =
        std::find_if(run.migrations.rbegin(), run.migrations.rend(),
                     [&](const MigrationRecord& m) { return speaks_of(m.*member, difference); });
    if (found != run.migrations.rend()) return found->version;
  }
  return run.migrations.size() == 1 ? run.migrations.front().version : "";
}

struct Residue {
  record::StateDifference back;
  record::StateDifference again;
};

/// What is left, by the migration that it comes from.
std::map<std::string, Residue> residue_by_migration(const record::Run& run) {
  std::map<std::string, Residue> result;
  if (failed_step(run.chain.back) != nullptr) return result;
  const auto add = [&](const record::StateDifference& from, record::StateDifference Residue::*to,
                       record::StateDifference MigrationRecord::*single) {
    for (const auto& object : part_order(from.objects).real) {
      (result[origin(run, object, single)].*to).objects.push_back(object);
    }
    for (const auto& data : from.data) (result[origin(run, data, single)].*to).data.push_back(data);
  };
  add(run.chain.back_difference, &Residue::back, &MigrationRecord::back_difference);
  if (failed_step(run.chain.again) == nullptr) {
    add(run.chain.again_difference, &Residue::again, &MigrationRecord::again_difference);
  }
  return result;
}

std::string summary(const record::StateDifference& difference, Later later) {
  std::vector<std::string> parts;
  if (!difference.objects.empty()) parts.push_back(object_summary(difference.objects, later));
  if (!difference.data.empty()) parts.push_back("other data in " + data_summary(difference.data));
  return join(parts, "; ");
}

void add_evidence(record::Finding& finding, std::string_view when, const record::StateDifference& difference,
                  Later later) {
  for (const std::string& line : object_lines(difference.objects, later)) {
    finding.evidence.push_back(fmt::format("{}: {}", when, line));
  }
  for (const std::string& line : data_lines(difference.data)) {
    finding.evidence.push_back(fmt::format("{}: {}", when, line));
  }
}

void report_residue(const record::Run& run, const std::string& version, const Residue& residue,
                    std::vector<record::Finding>& findings) {
  const Side side = residue.back.empty() ? Side::up : Side::down;
  const std::string message =
      side == Side::down
          ? fmt::format("taken back as a whole, the trial ends elsewhere than it began: {}",
                        summary(residue.back, Later::after_down))
          : fmt::format("taken back as a whole and up again, the trial ends elsewhere than before: {}",
                        summary(residue.again, Later::after_up));
  const MigrationRecord* migration = migration_of(run, version);
  record::Finding finding = migration != nullptr ? finding_of(k_chain_broken, *migration, side, message)
                                                 : finding_of(k_chain_broken, message);
  add_evidence(finding, "after all downs", residue.back, Later::after_down);
  add_evidence(finding, "after all ups", residue.again, Later::after_up);
  if (migration != nullptr) {
    const bool alone =
        side == Side::down ? !migration->back_difference.empty() : !migration->again_difference.empty();
    finding.evidence.emplace_back(alone ? "its single step does not restore the state either"
                                        : "its single step restores the state: only the chain shows this");
  }
  findings.push_back(std::move(finding));
}

void find_chain_broken(const record::Run& run, const scenario::Scenario&,
                       std::vector<record::Finding>& findings) {
  if (!run.chain.ran) return;
  report_step(run, run.chain.back, Side::down, findings);
  report_step(run, run.chain.again, Side::up, findings);
  for (const auto& [version, residue] : residue_by_migration(run))
    report_residue(run, version, residue, findings);
}

}  // namespace

constinit const Rule k_chain_broken{
    .id = "chain-broken",
    .group = "round trip",
    .level = record::Level::error,
    .summary = "taken back as a whole, the trial stops, or ends elsewhere than it began",
    .why =
        "A release is rolled back as a whole. Each step can pass alone and the way back still break: an "
        "early down "
        "names a table that a later migration renamed, and a later down does not rename it back.",
    .advice =
        "run all downs in reverse order and compare with the beginning: let each down leave exactly the "
        "state that "
        "the migration before it ended in",
    .bad = R"(-- 1 up
ALTER TABLE users ADD COLUMN nick text;
-- 1 down
ALTER TABLE users DROP COLUMN nick;
-- 2 up
ALTER TABLE users RENAME COLUMN nick TO nickname;
-- 2 down: does nothing, so 1 down finds no column nick
SELECT 1;)",
    .good = R"(-- 1 up
ALTER TABLE users ADD COLUMN nick text;
-- 1 down
ALTER TABLE users DROP COLUMN nick;
-- 2 up
ALTER TABLE users RENAME COLUMN nick TO nickname;
-- 2 down
ALTER TABLE users RENAME COLUMN nickname TO nick;)",
    .find = find_chain_broken,
};

}  // namespace lockkeeper::check
