#include "rehearsal/timing.h"

#include <cmath>
#include <mutex>
#include <optional>
#include <random>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "base/interrupt.h"
#include "base/text.h"
#include "rehearsal/core_pin.h"

namespace lockkeeper::rehearsal {

namespace {

using engine::Parameters;
using engine::QuerySession;
using Clock = std::chrono::steady_clock;

constexpr int k_warm_up = 2;
constexpr std::int64_t k_most_dropped = 5;
constexpr std::size_t k_most_blocks = 64;
constexpr double k_look_again = 1.03;  // pairs between looks grow with those that there are

/// Google Benchmark's registry is one for the whole process, and nothing else shall be timed meanwhile.
std::mutex& turn() {
  static std::mutex mutex;
  return mutex;
}

/// One execution at a time, timed by Google Benchmark.
class Stopwatch final : private benchmark::BenchmarkReporter {
 public:
  Stopwatch(QuerySession& base, QuerySession& head, const Parameters& parameters)
      : m_sessions{&base, &head}, m_parameters(parameters) {
    for (const int side : {0, 1}) {
      benchmark::RegisterBenchmark(k_names[side], [this, side](benchmark::State& state) {
        for (auto _ : state) m_error = m_sessions[side]->execute(m_parameters);
      })->Iterations(1);
    }
  }
  ~Stopwatch() override { benchmark::ClearRegisteredBenchmarks(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

  /// Milliseconds; none where it failed: error() says how.
  Result<std::optional<double>> time(int side) {
    if (interrupted()) return failed_by_interrupt();
    if (const auto begun = m_sessions[side]->open(); !begun) return failed(begun);
    m_error = nullptr;
    m_seconds = 0;
    benchmark::RunSpecifiedBenchmarks(this, nullptr, k_names[side]);
    const bool failing = m_error != nullptr;
    if (failing) m_message = m_error->message;
    if (const auto ended = m_sessions[side]->close(); !ended) return failed(ended);
    return failing ? std::optional<double>() : std::optional(m_seconds * 1000);
  }
  const std::string& error() const { return m_message; }

 private:
  static constexpr const char* k_names[] = {"base", "head"};
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) m_seconds = run.real_accumulated_time;
  }

  QuerySession* m_sessions[2];
  const Parameters& m_parameters;
  const record::SqlError* m_error = nullptr;
  std::string m_message;
  double m_seconds = 0;
};

void add_block(std::vector<record::SampleBlock>& blocks, std::int64_t& block_size, double base, double head) {
  if (blocks.empty() || blocks.back().samples == block_size) {
    if (blocks.size() == k_most_blocks) {
      for (std::size_t at = 0; at < k_most_blocks / 2; ++at) {
        const auto& a = blocks[2 * at];
        const auto& b = blocks[2 * at + 1];
        blocks[at] = {a.samples + b.samples, (a.base_milliseconds + b.base_milliseconds) / 2,
                      (a.head_milliseconds + b.head_milliseconds) / 2};
      }
      blocks.resize(k_most_blocks / 2);
      block_size *= 2;
    }
    blocks.emplace_back();
  }
  auto& block = blocks.back();
  ++block.samples;
  const auto count = static_cast<double>(block.samples);
  block.base_milliseconds += (base - block.base_milliseconds) / count;
  block.head_milliseconds += (head - block.head_milliseconds) / count;
}

/// Where a limit stands to what is known.
record::TimeVerdict judge(double low, double high, double limit) {
  if (low > limit) return record::TimeVerdict::beyond;
  return high <= limit ? record::TimeVerdict::within : record::TimeVerdict::not_decided;
}

std::optional<double> known(double bound) {
  return std::isinf(bound) ? std::nullopt : std::optional(bound);
}

}  // namespace

record::TimeVerdict PairedDecision::add(double base_milliseconds, double head_milliseconds) {
  m_times.add(base_milliseconds, head_milliseconds);
  return pairs() < m_next_look ? m_verdict : look();
}

record::TimeVerdict PairedDecision::look() {
  m_next_look = static_cast<std::int64_t>(static_cast<double>(pairs()) * k_look_again) + 1;
  m_ratio = m_times.ratio().bounds(m_plan.error_rate);
  m_head = m_times.head().bounds(m_plan.error_rate);
  using enum record::TimeVerdict;
  m_verdict = within;
  const auto weigh = [&](record::TimeVerdict verdict) {
    // One that is beyond decides; one that is open keeps the others waiting.
    if (m_verdict != beyond && verdict != within) m_verdict = verdict;
  };
  if (m_plan.ratio_limit) weigh(judge(m_ratio.low, m_ratio.high, *m_plan.ratio_limit));
  if (m_plan.milliseconds_limit) weigh(judge(m_head.low, m_head.high, *m_plan.milliseconds_limit));
  return m_verdict;
}

void PairedDecision::describe(record::QueryTiming& timing) const {
  timing.verdict = m_verdict;
  timing.pairs = pairs();
  timing.base_median = m_times.base().median();
  timing.head_median = m_head.median;
  timing.head_low = m_head.low;
  timing.head_high = known(m_head.high);
  timing.ratio = m_ratio.median;
  timing.ratio_low = m_ratio.low;
  timing.ratio_high = known(m_ratio.high);
}

Result<record::QueryTiming> time_in_pairs(QuerySession& base, QuerySession& head,
                                          const Parameters& parameters, const TimingPlan& plan) {
  const std::lock_guard alone(turn());
  record::QueryTiming timing;
  timing.limit = plan.ratio_limit.value_or(0);
  timing.limit_milliseconds = plan.milliseconds_limit.value_or(0);
  timing.error_rate = plan.error_rate;
  timing.seed = plan.seed;
  std::vector<int> processes = base.processes();
  for (const int process : head.processes()) processes.push_back(process);
  std::optional<CorePin> pin;
  if (base.can_be_pinned() && head.can_be_pinned()) pin.emplace(processes);
  timing.core = pin ? pin->core() : -1;
  Stopwatch stopwatch(base, head, parameters);
  std::mt19937_64 coin(plan.seed);
  PairedDecision decision(plan);
  std::int64_t block_size = 1;
  const auto earliest = Clock::now() + k_least_sampling;
  const auto until = Clock::now() + plan.budget;
  for (int pair = -k_warm_up;; ++pair) {
    std::optional<double> milliseconds[2];
    const int first = (coin() & 1) == 0 ? 0 : 1;
    for (const int side : {first, 1 - first}) {
      const auto taken = stopwatch.time(side);
      if (!taken) return failed(taken);
      milliseconds[side] = *taken;
    }
    const bool over = Clock::now() >= until;
    if (!milliseconds[0] || !milliseconds[1]) {
      if (++timing.dropped >= k_most_dropped && timing.dropped > decision.pairs()) {
        decision.look();
        decision.describe(timing);
        timing.verdict = record::TimeVerdict::not_decided;
        timing.reason = fmt::format("it keeps failing: {}", abridged(stopwatch.error(), 200));
        return timing;
      }
    } else if (pair >= 0 || over) {
      decision.add(*milliseconds[0], *milliseconds[1]);
      add_block(timing.blocks, block_size, *milliseconds[0], *milliseconds[1]);
    }
    if (over) decision.look();
    const bool decided = decision.verdict() != record::TimeVerdict::not_decided && Clock::now() >= earliest;
    if (!decided && !over) continue;
    decision.describe(timing);
    if (timing.verdict == record::TimeVerdict::not_decided)
      timing.reason = fmt::format("{} in {} say neither", counted(timing.pairs, "pair"), human(plan.budget));
    return timing;
  }
}

}  // namespace lockkeeper::rehearsal
