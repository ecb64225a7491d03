#include "rehearsal/timing.h"

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lockkeeper::rehearsal {

namespace {

using namespace std::chrono_literals;
using enum record::TimeVerdict;
using Clock = std::chrono::steady_clock;

/// One side whose executions take as long as it is told, spun away; all sides write to one list who was
/// asked.
class ScriptedSession : public engine::QuerySession {
 public:
  ScriptedSession(char name, std::string& order, std::chrono::microseconds time)
      : m_name(name), m_order(order), m_time(time) {}

  void fail_when(std::function<bool(int)> fails) { m_fails = std::move(fails); }
  void lose() { m_lost = true; }
  bool is_balanced() const { return m_opened == m_closed && m_opened == m_executed; }

  Result<std::optional<record::SqlError>> prepare(const std::string&, engine::Access) override {
    return std::optional<record::SqlError>();
  }
  Result<engine::QueryAnswer> answer(const engine::Parameters&) override { return engine::QueryAnswer(); }
  Result<std::optional<engine::QueryAnswer>> answer_otherwise(const engine::Parameters&, int) override {
    return std::optional<engine::QueryAnswer>();
  }
  Result<Explained> explain(const engine::Parameters&) override { return Explained(); }
  Result<void> open() override {
    if (m_lost) return failed(FailureKind::environment, "the session is lost");
    ++m_opened;
    return {};
  }
  const record::SqlError* execute(const engine::Parameters&) override {
    m_order += m_name;
    const auto until = Clock::now() + m_time;
    while (Clock::now() < until) continue;
    ++m_executed;
    return m_fails && m_fails(m_executed) ? &m_error : nullptr;
  }
  Result<void> close() override {
    ++m_closed;
    return {};
  }
  std::vector<int> processes() const override { return {}; }
  Result<bool> are_empty(const std::vector<std::string>&) override { return false; }

 private:
  char m_name;
  std::string& m_order;
  std::chrono::microseconds m_time;
  std::function<bool(int)> m_fails;
  bool m_lost = false;
  int m_opened = 0;
  int m_executed = 0;
  int m_closed = 0;
  record::SqlError m_error{"22012", "division by zero", "", "", ""};
};

/// Base and head, and a plan that only a decision ends: a minute would have to be lost to noise.
class TimeInPairs : public testing::Test {
 protected:
  Result<record::QueryTiming> time(std::chrono::microseconds base_time, std::chrono::microseconds head_time) {
    ScriptedSession base('b', m_order, base_time);
    ScriptedSession head('h', m_order, head_time);
    base.fail_when(m_base_fails);
    auto timing = time_in_pairs(base, head, {}, m_plan);
    EXPECT_TRUE(base.is_balanced());
    EXPECT_TRUE(head.is_balanced());
    return timing;
  }

  TimingPlan m_plan{1.05, std::nullopt, 0.01, 60s, 7};
  std::function<bool(int)> m_base_fails;
  std::string m_order;
};

TEST_F(TimeInPairs, three_times_slower_is_beyond) {
  const auto timing = time(100us, 300us);
  ASSERT_TRUE(timing);
  EXPECT_EQ(timing->verdict, beyond);
  EXPECT_EQ(timing->reason, "");
  EXPECT_GT(timing->ratio_low, 1.05);
  EXPECT_GT(timing->pairs, 6);
  EXPECT_EQ(timing->seed, 7U);
  EXPECT_EQ(timing->error_rate, 0.01);
}

TEST_F(TimeInPairs, three_times_faster_is_within) {
  const auto timing = time(300us, 100us);
  ASSERT_TRUE(timing);
  EXPECT_EQ(timing->verdict, within);
  ASSERT_TRUE(timing->ratio_high);
  EXPECT_LE(*timing->ratio_high, 1.05);
}

TEST_F(TimeInPairs, first_moments_decide_nothing) {
  const auto start = Clock::now();
  const auto timing = time(20us, 200us);
  ASSERT_TRUE(timing);
  EXPECT_EQ(timing->verdict, beyond);
  EXPECT_GE(Clock::now() - start, k_least_sampling);
}

TEST_F(TimeInPairs, limit_in_milliseconds_is_about_the_head_alone) {
  m_plan.ratio_limit.reset();
  m_plan.milliseconds_limit = 0.1;
  const auto over = time(300us, 200us);
  ASSERT_TRUE(over);
  EXPECT_EQ(over->verdict, beyond);
  EXPECT_GT(over->head_low, 0.1);
  m_plan.milliseconds_limit = 5000;
  const auto under = time(300us, 200us);
  ASSERT_TRUE(under);
  EXPECT_EQ(under->verdict, within);
}

TEST_F(TimeInPairs, time_that_is_over_ends_it_undecided) {
  m_plan.budget = 0ms;
  const auto timing = time(50us, 50us);
  ASSERT_TRUE(timing);
  EXPECT_EQ(timing->verdict, not_decided);
  EXPECT_EQ(timing->pairs, 1);
  EXPECT_EQ(timing->reason, "1 pair in 0 µs say neither");
  EXPECT_FALSE(timing->ratio_high);
  EXPECT_EQ(m_order.size(), 2U);
}

TEST_F(TimeInPairs, order_is_drawn_from_the_seed) {
  static_cast<void>(time(100us, 300us));
  const std::string first = m_order;
  m_order.clear();
  static_cast<void>(time(100us, 300us));
  const std::size_t both = std::min(first.size(), m_order.size());
  EXPECT_EQ(first.substr(0, both), m_order.substr(0, both));
  EXPECT_NE(first.find("bh"), std::string::npos);
  EXPECT_NE(first.find("hb"), std::string::npos);
  for (std::size_t at = 0; at + 1 < first.size(); at += 2) EXPECT_NE(first[at], first[at + 1]) << at;
  m_plan.seed = 8;
  m_order.clear();
  static_cast<void>(time(100us, 300us));
  EXPECT_NE(first.substr(0, 16), m_order.substr(0, 16));
}

TEST_F(TimeInPairs, pair_of_which_one_side_fails_is_dropped_and_counted) {
  m_base_fails = [](int execution) { return execution % 4 == 0; };
  const auto timing = time(100us, 300us);
  ASSERT_TRUE(timing);
  EXPECT_EQ(timing->verdict, beyond);
  EXPECT_GT(timing->dropped, 0);
  const auto pairs_run = static_cast<std::int64_t>(m_order.size() / 2);
  EXPECT_EQ(timing->pairs + timing->dropped + 2, pairs_run) << "two are for warming up";
}

TEST_F(TimeInPairs, query_that_keeps_failing_is_given_up) {
  m_base_fails = [](int) { return true; };
  const auto timing = time(10us, 10us);
  ASSERT_TRUE(timing);
  EXPECT_EQ(timing->verdict, not_decided);
  EXPECT_EQ(timing->reason, "it keeps failing: division by zero");
  EXPECT_EQ(timing->pairs, 0);
  EXPECT_EQ(timing->dropped, 5);
  EXPECT_FALSE(timing->head_high);
}

TEST_F(TimeInPairs, lost_session_is_a_failure) {
  ScriptedSession base('b', m_order, 1us);
  ScriptedSession head('h', m_order, 1us);
  head.lose();
  const auto timing = time_in_pairs(base, head, {}, m_plan);
  ASSERT_FALSE(timing);
  EXPECT_EQ(timing.error().message, "the session is lost");
}

TEST_F(TimeInPairs, blocks_hold_every_pair_once) {
  const auto timing = time(20us, 60us);
  ASSERT_TRUE(timing);
  std::int64_t samples = 0;
  for (const auto& block : timing->blocks) samples += block.samples;
  EXPECT_EQ(samples, timing->pairs);
}

TEST(PairedDecision, decides_as_soon_as_enough_pairs_are_on_one_side) {
  PairedDecision decision({1.05, std::nullopt, 0.01, 5s, 0});
  std::int64_t first = 1;
  while (critical_heads(first, 0.01) > first) ++first;
  for (std::int64_t pair = 1; pair < first; ++pair) ASSERT_EQ(decision.add(1, 2), not_decided) << pair;
  EXPECT_EQ(decision.add(1, 2), beyond);
  EXPECT_EQ(decision.pairs(), first);
}

TEST(PairedDecision, equal_times_are_within_any_limit_above_one) {
  PairedDecision decision({1.05, std::nullopt, 0.01, 5s, 0});
  for (int pair = 0; pair < 20; ++pair) decision.add(1, 1);
  EXPECT_EQ(decision.verdict(), within);
}

TEST(PairedDecision, ratio_at_the_limit_stays_open) {
  PairedDecision decision({1.05, std::nullopt, 0.01, 5s, 0});
  for (int pair = 0; pair < 5000; ++pair) {
    ASSERT_EQ(decision.add(1, pair % 2 == 0 ? 1.04 : 1.06), not_decided) << pair;
  }
}

TEST(PairedDecision, limit_that_is_open_keeps_the_other_waiting) {
  PairedDecision decision({1.05, 1.0, 0.01, 5s, 0});
  for (int pair = 0; pair < 200; ++pair) {
    const double time = pair % 2 == 0 ? 0.99 : 1.01;
    ASSERT_EQ(decision.add(time, time), not_decided) << pair;
  }
}

TEST(PairedDecision, limit_that_is_passed_decides_alone) {
  PairedDecision decision({1.05, 1.0, 0.01, 5s, 0});
  for (int pair = 0; pair < 20; ++pair) {
    const double time = pair % 2 == 0 ? 0.99 : 1.01;
    decision.add(time / 2, time);
  }
  EXPECT_EQ(decision.verdict(), beyond);
}

TEST(PairedDecision, tells_what_the_last_look_saw) {
  PairedDecision decision({1.05, std::nullopt, 0.01, 5s, 0});
  record::QueryTiming before;
  decision.look();
  decision.describe(before);
  EXPECT_EQ(before.pairs, 0);
  EXPECT_FALSE(before.ratio_high);
  for (int pair = 0; pair < 30; ++pair) decision.add(2, 3);
  decision.look();
  record::QueryTiming timing;
  decision.describe(timing);
  EXPECT_EQ(timing.verdict, beyond);
  EXPECT_EQ(timing.pairs, 30);
  EXPECT_NEAR(timing.ratio, 1.5, 0.002);
  EXPECT_NEAR(timing.base_median, 2, 0.003);
  EXPECT_NEAR(timing.head_median, 3, 0.004);
}

}  // namespace

}  // namespace lockkeeper::rehearsal
