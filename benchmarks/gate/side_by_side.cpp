#include "benchmarks/gate/side_by_side.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <random>
#include <utility>

#include <fmt/format.h>

#include "base/interrupt.h"
#include "benchmarks/ledger.h"
#include "rehearsal/core_pin.h"

namespace lockkeeper::gate_proof {

namespace {

using engine::QuerySession;
using Clock = std::chrono::steady_clock;

constexpr const char* k_database = "proof";
constexpr const char* k_items =
    "CREATE TABLE items (id bigint PRIMARY KEY, amount bigint NOT NULL, body text NOT NULL);"
    "INSERT INTO items SELECT i, i * 7919 % 10007, md5(i::text) FROM generate_series(1, 100000) i;";
constexpr std::chrono::milliseconds k_measured{1000};
constexpr std::size_t k_least_measured = 200;

std::string view_of(const Case& chosen) {
  return fmt::format("{}_{}", k_kinds[chosen.kind].view, k_slowdowns[chosen.slowdown]);
}

double lower_decile(std::vector<double> times) {
  const auto at = static_cast<std::ptrdiff_t>(times.size() / 10);
  std::nth_element(times.begin(), times.begin() + at, times.end());
  return times[static_cast<std::size_t>(at)];
}

double slowdown_of(const Case& chosen) {
  return k_slowdowns[chosen.slowdown] / 100.0;
}

Result<engine::Image> loaded(engine::Engine& engine, const std::filesystem::path& directory) {
  const auto empty = engine.make_empty(directory / "empty", k_database);
  if (!empty) return failed(empty);
  const auto instance = engine.restore(*empty, k_database, engine::Purpose::load);
  if (!instance) return failed(instance);
  if (const auto filled = (*instance)->execute(k_items, {}); !filled) return failed(filled);
  return (*instance)->save(directory / "loaded");
}

}  // namespace

Result<std::unique_ptr<SideBySide>> SideBySide::create(benchmarks::Scratch& scratch) {
  std::unique_ptr<SideBySide> made(new SideBySide);
  if (const auto ready = made->set_up(scratch); !ready) return failed(ready);
  return made;
}

/// As a rehearsal and Gate::set_up() do it: a server that has loaded is saved and started anew, and the base
/// is a copy of a head that is vacuumed and written out. Where head's pages were still in memory as they had
/// been inserted, scans of it took 1 to 3 % longer than those of its copy.
Result<void> SideBySide::set_up(benchmarks::Scratch& scratch) {
  const auto found = engine::postgres::find_binaries(std::nullopt);
  if (found.empty()) return failed(FailureKind::environment, "no server binaries", "install postgresql");
  auto account = engine::postgres::server_account();
  if (!account) return failed(account);
  auto engine = engine::postgres::private_servers({found.front(), std::move(*account), scratch.path()});
  if (!engine) return failed(engine);
  m_engine = std::move(*engine);
  const auto image = loaded(*m_engine, scratch.path());
  if (!image) return failed(image);
  auto head = m_engine->restore(*image, k_database, engine::Purpose::rehearse);
  if (!head) return failed(head);
  m_head = std::move(*head);
  if (auto settled = m_head->settle({}); !settled) return settled;
  auto base = m_head->copy_beside();
  if (!base) return failed(base);
  m_base = std::move(*base);
  auto base_session = m_base->open_query_session({});
  if (!base_session) return failed(base_session);
  auto head_session = m_head->open_query_session({});
  if (!head_session) return failed(head_session);
  m_base_session = std::move(*base_session);
  m_head_session = std::move(*head_session);
  return {};
}

Result<void> SideBySide::define(engine::Instance& side, const Case& chosen, std::int64_t rows) {
  return side.execute(fmt::format("CREATE OR REPLACE VIEW {} AS {}", view_of(chosen),
                                  fmt::format(fmt::runtime(k_kinds[chosen.kind].sql), rows)),
                      {});
}

Result<void> SideBySide::prepare(const Case& chosen) {
  const std::string sql = fmt::format("SELECT * FROM {}", view_of(chosen));
  for (auto* session : {m_base_session.get(), m_head_session.get()}) {
    const auto wrong = session->prepare(sql, engine::Access::read);
    if (!wrong) return failed(wrong);
    if (*wrong) return failed(FailureKind::environment, fmt::format("'{}': {}", sql, (*wrong)->message));
  }
  return {};
}

Result<double> SideBySide::time_one(QuerySession& session) {
  if (interrupted()) return failed_by_interrupt();
  if (const auto begun = session.open(); !begun) return failed(begun);
  const auto start = Clock::now();
  const record::SqlError* const error = session.execute({});
  const auto end = Clock::now();
  // A signal ends an execution too.
  if (interrupted()) return failed_by_interrupt();
  if (error != nullptr) return failed(FailureKind::environment, error->message);
  if (const auto ended = session.close(); !ended) return failed(ended);
  return std::chrono::duration<double, std::milli>(end - start).count();
}

/// In pairs too, since nothing else tells a ratio, but without end before the time is over; and by the lower
/// deciles, since somebody is at work on most machines: of executions of milliseconds half may have been
/// interrupted.
Result<SideBySide::Measured> SideBySide::measure(const Case& chosen, std::uint64_t seed) {
  if (const auto ready = prepare(chosen); !ready) return failed(ready);
  const rehearsal::CorePin pin({m_base_session->processes().front(), m_head_session->processes().front()});
  std::mt19937_64 coin(seed);
  std::vector<double> times[2];
  const auto until = Clock::now() + k_measured;
  for (int warm_up = -10; Clock::now() < until || times[0].size() < k_least_measured; ++warm_up) {
    const std::size_t first = coin() & 1;
    for (const std::size_t side : {first, 1 - first}) {
      const auto taken = time_one(side == 0 ? *m_base_session : *m_head_session);
      if (!taken) return failed(taken);
      if (warm_up >= 0) times[side].push_back(*taken);
    }
  }
  const double ratio = lower_decile(times[1]) / lower_decile(times[0]);
  return Measured{benchmarks::median(std::move(times[0])), ratio};
}

/// Three times at most: what is nearly linear is nearly hit by the first.
Result<Case> SideBySide::calibrated(std::size_t kind, std::size_t slowdown, double rows_for_all,
                                    std::uint64_t seed) {
  Case chosen{kind, slowdown};
  const std::int64_t rows = k_kinds[kind].rows;
  const double wanted = slowdown_of(chosen);
  double more = rows_for_all * wanted;
  if (const auto defined = define(*m_base, chosen, rows); !defined) return failed(defined);
  for (int attempt = 0; attempt < 3; ++attempt) {
    chosen.head_rows = rows + std::llround(more);
    if (const auto defined = define(*m_head, chosen, chosen.head_rows); !defined) return failed(defined);
    const auto measured = measure(chosen, seed);
    if (!measured) return failed(measured);
    chosen.base_milliseconds = measured->base_milliseconds;
    chosen.true_ratio = measured->ratio;
    if (wanted == 0 || std::abs(measured->ratio - 1 - wanted) < wanted / 20) break;
    if (measured->ratio > 1) more *= wanted / (measured->ratio - 1);
  }
  return chosen;
}

Result<std::vector<Case>> SideBySide::calibrate(std::uint64_t seed) {
  std::mt19937_64 seeds(seed);
  std::vector<Case> cases;
  for (std::size_t kind = 0; kind < k_kinds.size(); ++kind) {
    // How many rows take as long as everything together: from what a good deal more of them costs.
    const Case probe{kind, k_slowdowns.size() - 1};
    const std::int64_t rows = k_kinds[kind].rows;
    const std::int64_t more = std::max<std::int64_t>(rows / 2, 100);
    if (const auto defined = define(*m_base, probe, rows); !defined) return failed(defined);
    if (const auto defined = define(*m_head, probe, rows + more); !defined) return failed(defined);
    const auto measured = measure(probe, seeds());
    if (!measured) return failed(measured);
    if (measured->ratio <= 1) {
      return failed(FailureKind::environment,
                    fmt::format("query '{}': more rows do not make it slower", k_kinds[kind].name));
    }
    const double rows_for_all = static_cast<double>(more) / (measured->ratio - 1);
    for (std::size_t slowdown = 0; slowdown < k_slowdowns.size(); ++slowdown) {
      const auto chosen = calibrated(kind, slowdown, rows_for_all, seeds());
      if (!chosen) return failed(chosen);
      cases.push_back(*chosen);
    }
  }
  return cases;
}

Result<record::QueryTiming> SideBySide::time_in_pairs(const rehearsal::TimingPlan& plan) {
  return rehearsal::time_in_pairs(*m_base_session, *m_head_session, {}, plan);
}

Result<Blocks> SideBySide::time_in_blocks(std::int64_t samples) {
  Blocks blocks;
  for (const int side : {0, 1}) {
    for (std::int64_t sample = 0; sample < samples; ++sample) {
      const auto taken = time_one(side == 0 ? *m_base_session : *m_head_session);
      if (!taken) return failed(taken);
      (side == 0 ? blocks.base : blocks.head).push_back(*taken);
    }
  }
  return blocks;
}

Result<std::vector<double>> SideBySide::block_medians(Pinned pinned, int blocks, int samples) {
  std::unique_ptr<rehearsal::CorePin> pin;
  if (pinned == Pinned::yes) pin = std::make_unique<rehearsal::CorePin>(m_base_session->processes());
  std::vector<double> medians;
  for (int block = 0; block < blocks; ++block) {
    std::vector<double> times;
    for (int sample = 0; sample < samples; ++sample) {
      const auto taken = time_one(*m_base_session);
      if (!taken) return failed(taken);
      times.push_back(*taken);
    }
    medians.push_back(benchmarks::median(std::move(times)));
  }
  return medians;
}

}  // namespace lockkeeper::gate_proof
