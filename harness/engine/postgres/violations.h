#pragma once

#include <vector>

#include "engine/postgres/connection.h"
#include "engine/state.h"

namespace lockkeeper::engine::postgres {

/// Counts the rows that break validated foreign keys and checks of the touched tables (a partitioned table is
/// touched where one of its partitions is). Rows can break them where triggers were disabled or a function
/// changed.
Result<std::vector<record::SchemaFact>> find_violations(Connection& connection, const Touched& touched);

}  // namespace lockkeeper::engine::postgres
