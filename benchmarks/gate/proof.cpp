#include "benchmarks/gate/proof.h"

#include <algorithm>
#include <random>

#include <fmt/format.h>

#include "base/interrupt.h"
#include "base/text.h"
#include "benchmarks/gate/simulation.h"

namespace lockkeeper::gate_proof {

namespace {

constexpr int k_blocks = 5;
constexpr std::int64_t k_largest_block = 1000;  // more of them make a ratio of blocks no truer
constexpr int k_comparisons_a_line = 50;

using Clock = std::chrono::steady_clock;

void tell(const std::string& line) {
  fmt::print(stderr, "gate: {}\n", line);
}

Result<void> simulate(const Settings& settings, std::uint64_t seed, Proof& proof) {
  SimulationPlan plan{seed, settings.simulated, 1, settings.error_rate};
  for (const bool at_one : {true, false}) {
    plan.limit = at_one ? 1 : settings.limit;
    tell(fmt::format("{} of a query with itself, simulated, limit {:.2f}, seed {}",
                     counted(settings.simulated, "comparison"), plan.limit, seed));
    auto tally = simulate_nulls(plan);
    if (!tally) return failed(tally);
    (at_one ? proof.simulated_at_one : proof.simulated) = std::move(*tally);
  }
  return {};
}

/// In random order, so that what else the machine does falls on all of them alike.
std::vector<std::size_t> drawn_order(const Settings& settings, std::uint64_t seed) {
  std::vector<std::size_t> order;
  for (std::size_t slowdown = 0; slowdown < k_slowdowns.size(); ++slowdown) {
    const int count = slowdown == 0 ? settings.nulls : settings.injections;
    for (int at = 0; at < count; ++at) {
      const std::size_t kind = static_cast<std::size_t>(at) % k_kinds.size();
      order.push_back(kind * k_slowdowns.size() + slowdown);
    }
  }
  std::mt19937_64 random(seed);
  std::ranges::shuffle(order, random);
  return order;
}

Result<Outcome> compare(const Settings& settings, SideBySide& sides, const Case& chosen, std::uint64_t seed) {
  if (const auto ready = sides.prepare(chosen); !ready) return failed(ready);
  rehearsal::TimingPlan plan;
  plan.ratio_limit = settings.limit;
  plan.error_rate = settings.error_rate;
  plan.budget = settings.budget;
  plan.seed = seed;
  Outcome outcome;
  const auto start = Clock::now();
  const auto timing = sides.time_in_pairs(plan);
  if (!timing) return failed(timing);
  outcome.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  outcome.verdict = timing->verdict;
  outcome.pairs = timing->pairs;
  outcome.base_milliseconds = timing->base_median;
  outcome.ratio = timing->ratio;
  const auto blocks = sides.time_in_blocks(std::min(timing->pairs, k_largest_block));
  if (!blocks) return failed(blocks);
  outcome.rivals = judge_blocks(*blocks);
  const bool missed = k_slowdowns[chosen.slowdown] >= 10 && outcome.verdict != record::TimeVerdict::beyond;
  const bool false_alarm = chosen.slowdown == 0 && outcome.verdict == record::TimeVerdict::beyond;
  if (missed || false_alarm) {
    tell(fmt::format(
        "{}: {} slower by {} %: seed {}, core {}, {}, median ratio {:.3f} ({:.3f} to {:.3f}), {:.2f} s",
        missed ? "missed" : "false alarm", k_kinds[chosen.kind].name, k_slowdowns[chosen.slowdown], seed,
        timing->core, counted(timing->pairs, "pair"), timing->ratio, timing->ratio_low,
        timing->ratio_high.value_or(0), outcome.seconds));
  }
  return outcome;
}

Result<void> compare_all(const Settings& settings, SideBySide& sides, std::uint64_t seed, Proof& proof) {
  std::mt19937_64 seeds(seed);
  const auto order = drawn_order(settings, seeds());
  int done = 0;
  for (const std::size_t at : order) {
    const Case& chosen = proof.cases[at];
    const auto outcome = compare(settings, sides, chosen, seeds());
    if (!outcome) return failed(outcome);
    proof.real[chosen.kind][chosen.slowdown].add(*outcome);
    if (++done % k_comparisons_a_line == 0)
      tell(fmt::format("{} of {}", done, counted(static_cast<std::int64_t>(order.size()), "comparison")));
  }
  return {};
}

Result<void> compare_blocks(const Settings& settings, SideBySide& sides, Load load, Proof& proof) {
  if (const auto ready = sides.prepare(proof.cases.front()); !ready) return failed(ready);
  for (const Pinned pinned : {Pinned::no, Pinned::yes}) {
    auto medians = sides.block_medians(pinned, k_blocks, settings.block_samples);
    if (!medians) return failed(medians);
    proof.block_medians.push_back({load, pinned, std::move(*medians)});
  }
  return {};
}

Result<void> measure(const Settings& settings, std::uint64_t seed, Proof& proof) {
  tell(
      fmt::format("base and head on a server of our own; measuring the true ratios in quiet, seed {}", seed));
  auto scratch = benchmarks::Scratch::create();
  if (!scratch) return failed(scratch);
  const auto sides = SideBySide::create(*scratch);
  if (!sides) return failed(sides);
  auto cases = (*sides)->calibrate(seed);
  if (!cases) return failed(cases);
  proof.cases = std::move(*cases);
  for (const Case& one : proof.cases) {
    tell(fmt::format("  {} + {} %: {} rows, base {}, ratio {:.3f}", k_kinds[one.kind].name,
                     k_slowdowns[one.slowdown], one.head_rows, human_milliseconds(one.base_milliseconds),
                     one.true_ratio));
  }
  if (const auto compared = compare_blocks(settings, **sides, Load::none, proof); !compared)
    return failed(compared);
  tell(fmt::format("comparing, with load '{}'", to_string(settings.load)));
  const auto neighbour = Neighbour::start(settings.load, scratch->path() / "neighbour.log");
  if (!neighbour) return failed(neighbour);
  if (settings.load != Load::none) {
    const auto compared = compare_blocks(settings, **sides, settings.load, proof);
    if (!compared) return failed(compared);
  }
  return compare_all(settings, **sides, seed + 1, proof);
}

}  // namespace

Tally Proof::of_slowdown(std::size_t slowdown) const {
  Tally all;
  for (const auto& kind : real) all.add(kind[slowdown]);
  return all;
}

Result<Proof> prove(const Settings& settings) {
  const auto start = Clock::now();
  std::mt19937_64 seeds(settings.seed);
  Proof proof;
  if (const auto simulated = simulate(settings, seeds(), proof); !simulated) return failed(simulated);
  if (const auto measured = measure(settings, seeds(), proof); !measured) return failed(measured);
  proof.took = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - start);
  return proof;
}

}  // namespace lockkeeper::gate_proof
