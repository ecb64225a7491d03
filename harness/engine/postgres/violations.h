#pragma once

#include <vector>

#include "engine/postgres/connection.h"
#include "engine/state.h"

namespace lockkeeper::engine::postgres {

/// Counts the rows that break validated foreign keys and checks of the touched tables (a partitioned table is
/// touched where one of its partitions is). Rows can break them where triggers were disabled or a function
/// changed. A foreign key that stands on both sides of the step, over the same values, is not asked again.
Result<std::vector<record::SchemaFact>> find_violations(Connection& connection, const Touched& touched,
                                                        const Step& step);

}  // namespace lockkeeper::engine::postgres
