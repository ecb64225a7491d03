#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "check/rule.h"

/// What the query rules share.
namespace lockkeeper::check {

/// The scenario's query of that name, null where the record has one that the scenario does not.
const scenario::Query* query_named(const scenario::Scenario& scenario, std::string_view name);

/// A finding placed at the query in the scenario file, with its SQL as the statement.
record::Finding finding_of(const Rule& rule, const scenario::Query& query, std::string message);

/// Interleaved samples: pair i of base and head was taken one right after the other, so drift of the machine
/// cancels out in the ratio of a pair.
struct Comparison {
  std::size_t pairs = 0;
  double base_median = 0;   ///< milliseconds
  double head_median = 0;   ///< milliseconds
  double ratio_median = 0;  ///< of head / base, over pairs
  double ratio_low = 0;     ///< first quartile
  double ratio_high = 0;    ///< third quartile
};

/// Fewer pairs than this say nothing.
inline constexpr std::size_t k_fewest_pairs = 5;
/// A difference of medians below this many milliseconds is the clock's and the scheduler's.
inline constexpr double k_noise_milliseconds = 0.05;

Comparison compare(const record::QueryObservation& observation);

/// "9 pairs: base median 1.20 ms, head median 2.40 ms, head/base 2.00 (quartiles 1.95 to 2.05)"
std::string describe(const Comparison& comparison);

}  // namespace lockkeeper::check
