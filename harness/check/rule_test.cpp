#include "check/rule.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scenario/load.h"

namespace lockkeeper::check {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::IsEmpty;
using testing::Not;

const fs::path k_negative = fs::path(LOCKKEEPER_SOURCE_DIR) / "scenarios" / "negative";

TEST(Rules, have_an_id_of_their_own) {
  const auto ids = rule_ids();
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
  for (const std::string& id : ids) EXPECT_EQ(rule_named(id)->id, id);
  EXPECT_EQ(rule_named("no-such-rule"), nullptr);
}

TEST(Rules, say_what_why_and_what_instead_with_a_bad_and_a_good_migration) {
  for (const Rule& rule : all_rules()) {
    EXPECT_THAT(rule.summary, Not(IsEmpty())) << rule.id;
    EXPECT_THAT(rule.why, Not(IsEmpty())) << rule.id;
    EXPECT_THAT(rule.advice, Not(IsEmpty())) << rule.id;
    EXPECT_NE(rule.bad.find_first_of("-#"), std::string_view::npos) << rule.id;
    EXPECT_NE(rule.good.find_first_of("-#"), std::string_view::npos) << rule.id;
    EXPECT_NE(rule.bad, rule.good) << rule.id;
    EXPECT_NE(rule.find, nullptr) << rule.id;
    EXPECT_THAT((std::set<std::string_view>{"round trip", "later rollback", "interruption",
                                            "locks and traffic", "dry run", "schema", "compatibility",
                                            "expectations", "backup", "history", "queries"}),
                Contains(rule.group));
  }
}

TEST(Rules, live_in_a_file_of_their_name) {
  for (const std::string& id : rule_ids()) {
    std::string name = id;
    std::replace(name.begin(), name.end(), '-', '_');
    EXPECT_TRUE(fs::exists(fs::path(LOCKKEEPER_SOURCE_DIR) / "harness/check/rules" / (name + ".cpp"))) << id;
  }
}

TEST(NegativeScenarios, every_rule_has_its_fault_and_its_cure) {
  for (const std::string& id : rule_ids()) {
    const auto bad = scenario::load((k_negative / (id + ".yaml")).string(), rule_ids());
    ASSERT_TRUE(bad) << to_string(bad.error());
    const auto named = [&](const scenario::ExpectedFinding& expected) { return expected.rule == id; };
    // Of backups it is the plan that has the fault.
    const bool of_backups = rule_named(id)->group == "backup";
    const auto& expected = of_backups ? bad->release.value().expect_findings : bad->expect_findings;
    EXPECT_TRUE(std::any_of(expected.begin(), expected.end(), named)) << id;
    const auto cured = scenario::load((k_negative / (id + ".cured.yaml")).string(), rule_ids());
    ASSERT_TRUE(cured) << to_string(cured.error());
    EXPECT_THAT(cured->expect_findings, IsEmpty()) << id;
    EXPECT_THAT(cured->allow, IsEmpty()) << id;
    EXPECT_EQ(bad->migrations_path == cured->migrations_path, of_backups) << id;
  }
}

TEST(NegativeScenarios, belong_to_a_rule_that_exists) {
  for (const auto& entry : fs::directory_iterator(k_negative)) {
    const std::string name = entry.path().filename().string();
    EXPECT_THAT(rule_ids(), Contains(name.substr(0, name.find('.')))) << name;
  }
}

}  // namespace
}  // namespace lockkeeper::check
