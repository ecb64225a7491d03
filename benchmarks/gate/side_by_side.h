#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "benchmarks/gate/rivals.h"
#include "benchmarks/workshop.h"
#include "engine/engine.h"
#include "rehearsal/timing.h"

namespace lockkeeper::gate_proof {

/// A query whose work grows with a number of rows.
struct QueryKind {
  const char* name;
  const char* view;   ///< the beginning of its views' names
  const char* sql;    ///< {} is the number of rows
  std::int64_t rows;  ///< on the base
};

inline constexpr std::array<QueryKind, 3> k_kinds = {{
    {"indexed look-up", "look_up",
     "SELECT count(*), sum(amount) FROM items WHERE id BETWEEN 40001 AND 40000 + {}", 1},
    {"aggregate over an index range", "index_range",
     "SELECT count(*), sum(amount), max(body) FROM items WHERE id BETWEEN 40001 AND 40000 + {}", 5000},
    {"sequential aggregate", "sequential",
     "SELECT count(*), sum(amount), max(body) FROM (SELECT amount, body FROM items LIMIT {}) part", 45000},
}};

/// By how many percent head does more of the same work than base.
inline constexpr std::array<int, 5> k_slowdowns = {0, 5, 10, 20, 50};

/// A query with its slowdown: the same text on base and head, the name of a view.
struct Case {
  std::size_t kind = 0;
  std::size_t slowdown = 0;
  std::int64_t head_rows = 0;
  double base_milliseconds = 0;  ///< measured in quiet, a median
  double true_ratio = 1;         ///< of the lower deciles of both sides
};

enum class Pinned { no, yes };

/// Two databases of a server of our own, made as the gate makes them.
class SideBySide {
 public:
  static Result<std::unique_ptr<SideBySide>> create(benchmarks::Scratch& scratch);

  /// Finds out how many rows make head slower by what is wanted, the fixed cost of an execution counted in,
  /// and measures what came of it. For a quiet machine.
  Result<std::vector<Case>> calibrate(std::uint64_t seed);

  /// Makes the query of the case the one that the sessions are about.
  Result<void> prepare(const Case& chosen);
  /// As the gate times it.
  Result<record::QueryTiming> time_in_pairs(const rehearsal::TimingPlan& plan);
  /// As others do it: so many executions on base, then as many on head, wherever the scheduler puts them.
  Result<Blocks> time_in_blocks(std::int64_t samples);

  /// Medians of blocks of executions on the base.
  Result<std::vector<double>> block_medians(Pinned pinned, int blocks, int samples);

 private:
  SideBySide() = default;
  Result<void> set_up(benchmarks::Scratch& scratch);
  Result<void> define(engine::Instance& side, const Case& chosen, std::int64_t rows);
  struct Measured {
    double base_milliseconds = 0;
    double ratio = 1;
  };
  Result<Measured> measure(const Case& chosen, std::uint64_t seed);
  Result<Case> calibrated(std::size_t kind, std::size_t slowdown, double rows_for_all, std::uint64_t seed);
  static Result<double> time_one(engine::QuerySession& session);

  std::unique_ptr<engine::Engine> m_engine;
  std::unique_ptr<engine::Instance> m_head;
  std::unique_ptr<engine::Instance> m_base;  ///< on the head's server: goes before it
  std::unique_ptr<engine::QuerySession> m_head_session;
  std::unique_ptr<engine::QuerySession> m_base_session;
};

}  // namespace lockkeeper::gate_proof
