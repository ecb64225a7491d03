#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/text.h"
#include "benchmarks/gate/proof.h"

namespace lockkeeper::gate_proof {

namespace {

constexpr double k_share_to_find = 0.99;
constexpr int k_least_to_find = 10;  // percent

std::string describe(Load load) {
  switch (load) {
    case Load::none:
      return "nobody else at work";
    case Load::other:
      return "one core always busy with memory, the others in bursts of 5 to 60 ms";
    case Load::both:
      break;
  }
  return "all cores always busy with memory";
}

std::string of_runs(std::int64_t count, const Tally& tally) {
  if (tally.runs() == 0) return "–";
  return fmt::format("{} ({:.1f} %)", grouped(count),
                     100.0 * static_cast<double>(count) / static_cast<double>(tally.runs()));
}

std::string seconds(double value) {
  return human_milliseconds(value * 1000);
}

/// One row of the main table; simulated comparisons take no time.
std::string row(const std::string& name, const std::string& ratio, const Tally& tally) {
  const double median = tally.seconds_quantile(0.5);
  const std::string time =
      median > 0 ? fmt::format("{}, {}", seconds(median), seconds(tally.seconds_quantile(0.95))) : "–";
  return fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", name, ratio,
                     grouped(tally.runs()), of_runs(tally.beyond(), tally), grouped(tally.within()),
                     grouped(tally.undecided()), time, of_runs(tally.over_200_percent(), tally),
                     of_runs(tally.over_110_percent(), tally), of_runs(tally.mann_whitney(), tally));
}

std::string main_table(const Settings& settings, const Proof& proof) {
  std::string text =
      "| head is slower by | true ratio, in quiet | comparisons | gate: slower | within the limit | "
      "undecided | time: "
      "median, 95 % | blocks, mean > 200 % | blocks, mean > 110 % | blocks, Mann–Whitney at 0.01 |\n"
      "|---|---|---|---|---|---|---|---|---|---|\n";
  text += row("nothing, simulated, limit 1.00", "1", proof.simulated_at_one);
  text += row(fmt::format("nothing, simulated, limit {:.2f}", settings.limit), "1", proof.simulated);
  for (std::size_t slowdown = 0; slowdown < k_slowdowns.size(); ++slowdown) {
    double low = 1e9;
    double high = 0;
    for (const Case& one : proof.cases) {
      if (one.slowdown != slowdown) continue;
      low = std::min(low, one.true_ratio);
      high = std::max(high, one.true_ratio);
    }
    const int percent = k_slowdowns[slowdown];
    text += row(percent == 0 ? "nothing" : fmt::format("{} %", percent),
                fmt::format("{:.3f}–{:.3f}", low, high), proof.of_slowdown(slowdown));
  }
  return text;
}

std::string kind_table(const Proof& proof) {
  std::string text =
      "| query | head is slower by | rows on base, head | base median: in quiet, by the gate | ratio: in "
      "quiet, by the "
      "gate | gate: slower | within the limit | undecided | pairs, median | time: median, 95 % |\n"
      "|---|---|---|---|---|---|---|---|---|---|\n";
  for (const Case& one : proof.cases) {
    const Tally& tally = proof.real[one.kind][one.slowdown];
    text += fmt::format("| {} | {} % | {}, {} | {}, {} | {:.3f}, {:.3f} | {} | {} | {} | {} | {}, {} |\n",
                        k_kinds[one.kind].name, k_slowdowns[one.slowdown], grouped(k_kinds[one.kind].rows),
                        grouped(one.head_rows), human_milliseconds(one.base_milliseconds),
                        human_milliseconds(tally.base_milliseconds()), one.true_ratio, tally.ratio(),
                        of_runs(tally.beyond(), tally), tally.within(), tally.undecided(),
                        grouped(std::llround(tally.pairs_quantile(0.5))),
                        seconds(tally.seconds_quantile(0.5)), seconds(tally.seconds_quantile(0.95)));
  }
  return text;
}

std::string pin_table(const Settings& settings, const Proof& proof) {
  std::string text = fmt::format(
      "| indexed look-up | load | medians of blocks of {} | largest / smallest |\n|---|---|---|---|\n",
      counted(settings.block_samples, "execution"));
  for (const BlockMedians& measured : proof.block_medians) {
    std::vector<std::string> shown;
    for (const double median : measured.milliseconds) shown.push_back(human_milliseconds(median));
    text += fmt::format("| {} | {} | {} | {:.2f} |\n",
                        measured.pinned == Pinned::yes ? "client and server on one core" : "free to move",
                        to_string(measured.load), join(shown, ", "),
                        std::ranges::max(measured.milliseconds) / std::ranges::min(measured.milliseconds));
  }
  return text;
}

}  // namespace

std::string tables(const Settings& settings, const Proof& proof) {
  std::string text = fmt::format(
      "`./dev bench gate --seed {} --load {}` ({}, {}): limit {:.2f}, error rate {}, {} a query. The gate "
      "samples in "
      "pairs on one core and stops when it knows; the others get as many samples afterwards, at most 1,000 a "
      "block, a "
      "block of base and then a block of head, free to move. 5 % is the limit itself, so that any answer is "
      "right.\n\n",
      settings.seed, to_string(settings.load), describe(settings.load), human(proof.took), settings.limit,
      settings.error_rate, human(settings.budget));
  text += main_table(settings, proof) + "\n" + kind_table(proof) + "\n";
  text += pin_table(settings, proof) + "\n";
  for (const Promise& promise : promises(settings, proof)) {
    text += fmt::format("- {}: {}\n", promise.held ? "held" : "**not held**", promise.text);
  }
  return text;
}

std::vector<Promise> promises(const Settings& settings, const Proof& proof) {
  std::vector<Promise> all;
  const auto at_most = [&](const std::string& what, const Tally& tally) {
    const double allowed = settings.error_rate * static_cast<double>(tally.runs());
    all.push_back({fmt::format("{}: {} of {}, at most {:g} allowed", what,
                               counted(tally.beyond(), "false alarm"), grouped(tally.runs()), allowed),
                   static_cast<double>(tally.beyond()) <= allowed});
  };
  at_most("simulated, limit 1.00", proof.simulated_at_one);
  at_most(fmt::format("simulated, limit {:.2f}", settings.limit), proof.simulated);
  at_most("on a server", proof.of_slowdown(0));
  for (std::size_t slowdown = 0; slowdown < k_slowdowns.size(); ++slowdown) {
    if (k_slowdowns[slowdown] < k_least_to_find) continue;
    const Tally tally = proof.of_slowdown(slowdown);
    all.push_back(
        {fmt::format("slower by {} %: {} of {} found within {}, at least {:.0f} % promised",
                     k_slowdowns[slowdown], grouped(tally.beyond()), grouped(tally.runs()),
                     human(settings.budget), 100 * k_share_to_find),
         static_cast<double>(tally.beyond()) >= k_share_to_find * static_cast<double>(tally.runs())});
  }
  return all;
}

}  // namespace lockkeeper::gate_proof
