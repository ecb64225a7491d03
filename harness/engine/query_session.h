#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/record.h"

namespace lockkeeper::engine {

/// The values of one execution; none is NULL.
using Parameters = std::vector<std::optional<std::string>>;

enum class Access { read, write };

/// What a query answered. A long answer is kept in part and hashed whole.
struct QueryAnswer {
  struct Column {
    std::string name;
    /// Of a binary floating-point type, whose last digits depend on the order of sums; where values have
    /// types of their own it is they that count.
    bool floating = false;
    bool single = false;  ///< of one that has seven digits or so
    std::string kind =
        {};  ///< "number", "string", …: a driver hands out another type for another kind; may be empty
  };
  using Row = std::vector<std::optional<std::string>>;
  std::optional<record::SqlError> error;
  std::vector<Column> columns;
  std::int64_t rows = 0;
  std::optional<std::int64_t> changed;  ///< rows that a write says it wrote
  std::vector<Row> kept;                ///< the first rows: all of them where `whole`
  /// A letter for the type of each value of a kept row, 'f' for floating point; empty where columns have
  /// types.
  std::vector<std::string> types;
  bool whole = true;
  std::uint64_t in_order = 0;  ///< hash of all rows, one after the other
  /// The same to six digits of floating-point values; and then whatever the order of the rows.
  std::uint64_t nearly_in_order = 0;
  std::uint64_t as_a_set = 0;
};

/// How a session plans and how long it lets one execution take.
struct QuerySettings {
  std::chrono::milliseconds longest{10000};
  bool jit = false;
  int parallel_workers = 0;
};

/// A session in which queries are answered, explained and timed, each execution in a transaction that is
/// rolled back: one of the two sides of a comparison. A Failure means that the session is lost, or a signal;
/// what the server says of a query is part of the answer, that it took too long among it (57014).
class QuerySession {
 public:
  virtual ~QuerySession() = default;

  /// Makes the query the one that the others are about. Access::read: whatever it tries to write is an error.
  virtual Result<std::optional<record::SqlError>> prepare(const std::string& sql, Access access) = 0;
  virtual Result<QueryAnswer> answer(const Parameters& parameters) = 0;
  /// The answer where the engine goes about it in another way, counted from 0: other plans, rows in other
  /// places. It has an error where that way leads nowhere; none where there are no more. It may leave tables
  /// longer than they were.
  virtual Result<std::optional<QueryAnswer>> answer_otherwise(const Parameters& parameters, int way) = 0;

  struct Explained {
    std::optional<record::SqlError> error;
    record::QueryPlan plan;
    std::vector<std::string> tables;  ///< that it reads or writes, as the engine names them
  };
  /// The plan, executed and counted. Call it behind answer(), so that what it counts is warm.
  virtual Result<Explained> explain(const Parameters& parameters) = 0;

  /// One execution to be timed: open() and close() stand around it and are not timed; rows are read and
  /// dropped. The pointer is good until the next call.
  virtual Result<void> open() = 0;
  virtual const record::SqlError* execute(const Parameters& parameters) = 0;
  virtual Result<void> close() = 0;

  /// Processes of the server's on this machine that work for this session; empty: none that could be pinned.
  virtual std::vector<int> processes() const = 0;
  /// False where what works for this session runs elsewhere, or must not be pinned.
  virtual bool can_be_pinned() const { return true; }
  /// Has a table no rows at all? `tables` as explain() names them.
  virtual Result<bool> are_empty(const std::vector<std::string>& tables) = 0;
};

}  // namespace lockkeeper::engine
