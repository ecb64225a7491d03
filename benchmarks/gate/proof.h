#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "benchmarks/gate/neighbour.h"
#include "benchmarks/gate/side_by_side.h"
#include "benchmarks/gate/tally.h"

namespace lockkeeper::gate_proof {

/// How often, how long and against what.
struct Settings {
  std::uint64_t seed = 7;  ///< all others come from it
  Load load = Load::other;
  int simulated = 1000;  ///< comparisons of a query with itself, for each limit
  int nulls = 200;       ///< the same on a server
  int injections = 100;  ///< for each slowdown
  int block_samples = 2000;
  std::chrono::milliseconds budget{5000};  ///< for a query
  double limit = 1.05;
  double error_rate = 0.01;
};

/// The same query, a block of executions after the other.
struct BlockMedians {
  Load load = Load::none;
  Pinned pinned = Pinned::no;
  std::vector<double> milliseconds;
};

/// What came of it.
struct Proof {
  Tally simulated_at_one;  ///< with a limit of 1.00: any alarm is false, and the limit is as near as can be
  Tally simulated;         ///< with the limit of the settings
  std::vector<Case> cases;
  std::array<std::array<Tally, k_slowdowns.size()>, k_kinds.size()> real;
  std::vector<BlockMedians> block_medians;  ///< of look-ups
  std::chrono::seconds took{0};

  Tally of_slowdown(std::size_t slowdown) const;  ///< over all kinds
};

/// Runs all of it, with progress on the error stream. A Failure: no server, or a signal came in.
Result<Proof> prove(const Settings& settings);

/// Markdown: what was run, the tables, and the promises.
std::string tables(const Settings& settings, const Proof& proof);

struct Promise {
  std::string text;  ///< with what was found
  bool held = false;
};
std::vector<Promise> promises(const Settings& settings, const Proof& proof);

}  // namespace lockkeeper::gate_proof
