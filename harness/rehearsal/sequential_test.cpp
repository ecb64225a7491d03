#include "rehearsal/sequential.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <malloc.h>

namespace lockkeeper::rehearsal {

namespace {

/// Sum over θ instead of incomplete beta functions: the mixture as its definition says it.
double evidence_by_summing(int heads, int tosses) {
  constexpr int k_steps = 20000;
  double mixed = 0;
  for (const double prior : {2.0, 20.0, 200.0}) {
    double above = 0;
    double weight = 0;
    for (int step = 0; step < k_steps; ++step) {
      const double theta = 0.5 + 0.5 * (step + 0.5) / k_steps;
      const double density = (prior - 1) * (std::log(4 * theta) + std::log1p(-theta));
      weight += std::exp(density);
      above += std::exp(density + heads * std::log(2 * theta) + (tosses - heads) * std::log(2 - 2 * theta));
    }
    mixed += above / weight / 3;
  }
  return mixed;
}

std::int64_t critical_by_summing(int tosses, double error_rate) {
  for (int heads = 0; heads <= tosses; ++heads) {
    if (evidence_by_summing(heads, tosses) >= 1 / error_rate) return heads;
  }
  return tosses + 1;
}

std::int64_t alarms_of_coins(int runs, const std::vector<std::int64_t>& critical, double chance_of_heads) {
  std::mt19937_64 random(20261127);
  std::bernoulli_distribution coin(chance_of_heads);
  std::int64_t alarms = 0;
  for (int run = 0; run < runs; ++run) {
    std::int64_t heads = 0;
    for (std::size_t tosses = 1; tosses < critical.size(); ++tosses) {
      if (coin(random)) ++heads;
      if (heads < critical[tosses]) continue;
      ++alarms;
      break;
    }
  }
  return alarms;
}

std::vector<std::int64_t> critical_up_to(std::int64_t most, double error_rate) {
  std::vector<std::int64_t> critical;
  for (std::int64_t tosses = 0; tosses <= most; ++tosses)
    critical.push_back(critical_heads(tosses, error_rate));
  return critical;
}

std::vector<double> skewed_values(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::lognormal_distribution<double> value(0, 2);
  std::vector<double> values(count);
  std::ranges::generate(values, [&] { return value(random); });
  return values;
}

Histogram histogram_of(const std::vector<double>& values) {
  Histogram histogram;
  for (const double value : values) histogram.add(value);
  return histogram;
}

constexpr double k_bin = 1.0011;  // a bin is exp(0.001) wide

TEST(CriticalHeads, is_what_the_mixture_says_by_its_definition) {
  for (const double error_rate : {0.05, 0.01, 0.0001}) {
    for (const int tosses : {0, 1, 2, 5, 8, 13, 20, 40, 77, 200}) {
      EXPECT_EQ(critical_heads(tosses, error_rate), critical_by_summing(tosses, error_rate))
          << tosses << " tosses at " << error_rate;
    }
  }
}

TEST(CriticalHeads, nothing_is_enough_in_the_first_tosses) {
  EXPECT_EQ(critical_heads(0, 0.01), 1);
  EXPECT_EQ(critical_heads(1, 0.01), 2);
  // Of n heads in n tosses 2^-n is the chance, so that no test may believe fewer than 7 at 0.01.
  for (std::int64_t tosses = 0; tosses < 7; ++tosses) EXPECT_EQ(critical_heads(tosses, 0.01), tosses + 1);
}

TEST(CriticalHeads, thirteen_heads_in_a_row_are_enough_at_a_hundredth) {
  EXPECT_EQ(critical_heads(12, 0.01), 13);
  EXPECT_EQ(critical_heads(13, 0.01), 13);
}

TEST(CriticalHeads, grows_with_tosses_by_one_at_most) {
  const auto critical = critical_up_to(5000, 0.01);
  for (std::size_t tosses = 1; tosses < critical.size(); ++tosses) {
    const std::int64_t step = critical[tosses] - critical[tosses - 1];
    ASSERT_TRUE(step == 0 || step == 1) << "at " << tosses;
  }
}

TEST(CriticalHeads, asks_for_more_where_fewer_errors_are_allowed) {
  for (const std::int64_t tosses : {10, 100, 1000, 100000}) {
    std::int64_t before = 0;
    for (const double error_rate : {0.1, 0.05, 0.01, 0.001, 1e-6, 1e-12}) {
      const std::int64_t now = critical_heads(tosses, error_rate);
      EXPECT_GE(now, before);
      EXPECT_GT(now, tosses / 2);
      before = now;
    }
  }
}

TEST(CriticalHeads, comes_close_to_half_with_many_tosses) {
  const double share = static_cast<double>(critical_heads(10'000'000, 0.001)) / 1e7;
  EXPECT_GT(share, 0.5);
  EXPECT_LT(share, 0.502);
}

TEST(CriticalHeads, fair_coin_looked_at_after_each_toss_seldom_gets_there) {
  const auto critical = critical_up_to(2000, 0.05);
  const std::int64_t alarms = alarms_of_coins(2000, critical, 0.5);
  EXPECT_LE(alarms, 2000 * 0.05);
  EXPECT_GT(alarms, 0) << "a bound that is never reached decides nothing";
}

TEST(CriticalHeads, coin_that_favours_tails_gets_there_more_seldom_still) {
  EXPECT_LE(alarms_of_coins(2000, critical_up_to(2000, 0.05), 0.48), 2000 * 0.02);
}

TEST(CriticalHeads, coin_that_favours_heads_gets_there_for_sure) {
  EXPECT_EQ(alarms_of_coins(500, critical_up_to(2000, 0.01), 0.6), 500);
}

TEST(HistogramOfTimes, knows_nothing_when_empty) {
  const Bounds bounds = Histogram().bounds(0.01);
  EXPECT_EQ(bounds.low, 0);
  EXPECT_EQ(bounds.median, 0);
  EXPECT_EQ(bounds.high, std::numeric_limits<double>::infinity());
}

TEST(HistogramOfTimes, median_is_that_of_the_values_to_a_tenth_of_a_percent) {
  for (const std::size_t count : {1UL, 2UL, 7UL, 100UL, 4001UL}) {
    std::vector<double> values = skewed_values(count, count);
    const double median = histogram_of(values).median();
    std::ranges::sort(values);
    const double exact = values[(count + 1) / 2 - 1];
    EXPECT_LT(median, exact * k_bin);
    EXPECT_GT(median, exact / k_bin);
  }
}

TEST(HistogramOfTimes, bounds_are_order_statistics_rounded_outwards) {
  for (const std::size_t count : {13UL, 50UL, 333UL, 5000UL}) {
    std::vector<double> values = skewed_values(count, count);
    const Bounds bounds = histogram_of(values).bounds(0.01);
    const auto wanted = static_cast<std::size_t>(critical_heads(static_cast<std::int64_t>(count), 0.01));
    ASSERT_LE(wanted, count);
    std::ranges::sort(values);
    const double low = values[count - wanted];
    const double high = values[wanted - 1];
    EXPECT_LE(bounds.low, low);
    EXPECT_GT(bounds.low, low / k_bin);
    EXPECT_GE(bounds.high, high);
    EXPECT_LT(bounds.high, high * k_bin);
  }
}

TEST(HistogramOfTimes, bounds_hold_at_every_look) {
  constexpr int k_runs = 400;
  int wrong = 0;
  for (int run = 0; run < k_runs; ++run) {
    Histogram histogram;
    bool held = true;
    for (const double value : skewed_values(600, static_cast<std::uint64_t>(run))) {
      histogram.add(value);
      if (histogram.count() % 10 != 0) continue;
      const Bounds bounds = histogram.bounds(0.05);
      held = held && bounds.low <= 1 && bounds.high >= 1;
    }
    if (!held) ++wrong;
  }
  EXPECT_LE(wrong, k_runs * 2 * 0.05);
}

TEST(HistogramOfTimes, nothing_is_known_while_too_few_are_there) {
  const Bounds bounds = histogram_of(skewed_values(6, 1)).bounds(0.01);
  EXPECT_EQ(bounds.low, 0);
  EXPECT_EQ(bounds.high, std::numeric_limits<double>::infinity());
}

TEST(HistogramOfTimes, equal_values_have_bounds_around_them) {
  const Bounds bounds = histogram_of(std::vector<double>(100, 1.0)).bounds(0.01);
  EXPECT_LE(bounds.low, 1);
  EXPECT_GE(bounds.high, 1);
  EXPECT_GT(bounds.low, 1 / k_bin);
  EXPECT_LT(bounds.high, k_bin);
}

TEST(HistogramOfTimes, what_is_too_small_or_too_large_counts_at_the_edge) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double small : {0.0, -1.0, 1e-300, 1e-8}) {
    const Bounds bounds = histogram_of(std::vector<double>(50, small)).bounds(0.01);
    EXPECT_EQ(bounds.low, 0) << small;
    EXPECT_GT(bounds.high, small);
    EXPECT_LT(bounds.high, 1e-7);
  }
  for (const double large : {1.2e7, 1e300, infinity}) {
    const Bounds bounds = histogram_of(std::vector<double>(50, large)).bounds(0.01);
    EXPECT_GT(bounds.low, 1e7) << large;
    EXPECT_EQ(bounds.high, infinity);
  }
}

TEST(HistogramOfTimes, memory_does_not_grow_with_the_values) {
  Histogram histogram;
  const auto before = ::mallinfo2().uordblks;
  std::mt19937_64 random(1);
  std::lognormal_distribution<double> value(0, 3);
  for (int count = 0; count < 1'000'000; ++count) histogram.add(value(random));
  EXPECT_EQ(::mallinfo2().uordblks, before);
  EXPECT_EQ(histogram.count(), 1'000'000);
}

TEST(PairedTimes, ratio_is_head_by_base) {
  PairedTimes times;
  for (int pair = 0; pair < 21; ++pair) times.add(2, 3);
  EXPECT_EQ(times.pairs(), 21);
  EXPECT_NEAR(times.ratio().median(), 1.5, 0.002);
  EXPECT_NEAR(times.base().median(), 2, 0.003);
  EXPECT_NEAR(times.head().median(), 3, 0.004);
}

TEST(PairedTimes, times_of_nothing_are_alike) {
  PairedTimes times;
  for (int pair = 0; pair < 50; ++pair) times.add(0, 0);
  const Bounds bounds = times.ratio().bounds(0.01);
  EXPECT_LE(bounds.low, 1);
  EXPECT_NEAR(bounds.median, 1, 0.002);
  EXPECT_GE(bounds.high, 1);
}

}  // namespace

}  // namespace lockkeeper::rehearsal
