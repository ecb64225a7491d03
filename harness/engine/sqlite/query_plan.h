#pragma once

#include <vector>

#include "engine/sqlite/database.h"

namespace lockkeeper::engine::sqlite {

/// What the lines of EXPLAIN QUERY PLAN (id, parent, unused, detail) say. Their first node is the query as a
/// whole, which stands in no line: several loops may stand side by side, and some statements have none.
record::QueryPlan plan_of(const std::vector<Database::Row>& lines);

}  // namespace lockkeeper::engine::sqlite
