#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "app/program_test.h"
#include "check/rule.h"

/// scenarios/negative: each rule's fault is found by the program on a real server, and its cure is free of
/// it.
namespace lockkeeper::app::testing {
namespace {

using nlohmann::json;

const std::string k_cured = ".cured";

fs::path negative_folder() {
  return fs::path("scenarios") / "negative";
}

/// By name without ending: `down-fails`, `down-fails.cured`.
std::map<std::string, std::string> negative_files() {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(fs::path(LOCKKEEPER_SOURCE_DIR) / negative_folder())) {
    if (entry.path().extension() != ".yaml") continue;
    files[entry.path().stem().string()] = (negative_folder() / entry.path().filename()).string();
  }
  return files;
}

bool is_about_backups(const std::string& name) {
  const check::Rule* const rule = check::rule_named(name.substr(0, name.find('.')));
  return rule != nullptr && rule->group == "backup";
}

/// One run of the program over all of them, shared by the tests of this file, and of the release check over
/// those about backups, which no rehearsal makes.
const Checked& all_checked() {
  static const Checked k_checked = [] {
    std::vector<std::string> rehearsed{"--jobs", "2"};
    std::vector<std::string> released{"--jobs", "2"};
    for (const auto& [name, file] : negative_files())
      (is_about_backups(name) ? released : rehearsed).push_back(file);
    const Start here{.directory = LOCKKEEPER_SOURCE_DIR, .deadline = std::chrono::minutes(5)};
    Checked checked = check(rehearsed, here);
    const Checked releases = release(released, here);
    EXPECT_EQ(releases.outcome.exit_code, 0) << releases.outcome.said();
    for (const json& run : releases.record.at("runs")) checked.record["runs"].push_back(run);
    return checked;
  }();
  return k_checked;
}

std::string name_of(const json& run) {
  return fs::path(run.at("scenario_file").get<std::string>()).stem().string();
}

bool is_cured(const std::string& name) {
  return name.ends_with(k_cured);
}

std::string rule_of(const std::string& name) {
  return name.substr(0, name.find('.'));
}

TEST(Negative, every_rule_has_a_scenario_with_its_fault_and_one_with_its_cure) {
  const auto files = negative_files();
  for (const check::Rule& rule : check::all_rules()) {
    EXPECT_TRUE(files.contains(std::string(rule.id))) << rule.id;
    EXPECT_TRUE(files.contains(std::string(rule.id) + k_cured)) << rule.id;
  }
  for (const auto& [name, file] : files) {
    EXPECT_NE(check::rule_named(rule_of(name)), nullptr) << file << " is of no rule";
  }
}

TEST(Negative, all_of_them_pass_in_one_run) {
  const Checked& checked = all_checked();
  EXPECT_EQ(checked.outcome.exit_code, 0) << checked.outcome.said();
  EXPECT_EQ(checked.record.at("verdict"), "pass");
  EXPECT_EQ(checked.record.at("runs").size(), negative_files().size());
  for (const json& run : checked.record.at("runs")) {
    EXPECT_EQ(run.at("verdict"), "pass") << name_of(run) << "\n" << run.at("findings").dump(1);
  }
}

TEST(Negative, every_fault_is_found_by_its_own_rule_and_with_a_place) {
  for (const json& run : all_checked().record.at("runs")) {
    const std::string name = name_of(run);
    if (is_cured(name)) continue;
    const auto& findings = run.at("findings");
    const auto own = std::find_if(findings.begin(), findings.end(),
                                  [&](const json& finding) { return finding.at("rule") == rule_of(name); });
    ASSERT_NE(own, findings.end()) << name << "\n" << findings.dump(1);
    EXPECT_EQ(own->at("expected"), true) << name;
    EXPECT_FALSE(own->at("message").get<std::string>().empty()) << name;
    EXPECT_FALSE(own->at("advice").get<std::string>().empty()) << name;
    ASSERT_TRUE(own->at("location").is_object()) << name;
    EXPECT_GE(own->at("location").at("line").get<int>(), 1) << name;
    const fs::path file = fs::path(LOCKKEEPER_SOURCE_DIR) / own->at("location").at("file").get<std::string>();
    EXPECT_TRUE(fs::exists(file)) << file;
  }
}

TEST(Negative, no_cure_leaves_a_finding_that_is_not_declared_but_notes_of_other_rules) {
  for (const json& run : all_checked().record.at("runs")) {
    const std::string name = name_of(run);
    if (!is_cured(name)) continue;
    for (const json& finding : run.at("findings")) {
      const bool declared = finding.at("allowed") == true;
      const bool others_note = finding.at("level") == "note" && finding.at("rule") != rule_of(name);
      EXPECT_TRUE(declared || others_note) << name << "\n" << finding.dump(1);
    }
    EXPECT_TRUE(run.at("stale").empty()) << name << "\n" << run.at("stale").dump(1);
  }
}

}  // namespace
}  // namespace lockkeeper::app::testing
