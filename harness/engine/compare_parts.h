#pragma once

#include <vector>

#include "engine/state.h"

namespace lockkeeper::engine {

/// Adds a change of "position" for each column that stands elsewhere among the columns that both states have:
/// the fewest that have to move to make one order of the other. Keeps the list sorted.
void add_moved_columns(const State& before, const State& after,
                       std::vector<record::ObjectDifference>& differences);

/// Rows and values of the tables that both states have.
std::vector<record::DataDifference> compare_data(const State& before, const State& after);

}  // namespace lockkeeper::engine
