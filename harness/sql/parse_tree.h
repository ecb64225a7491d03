#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "sql/query_facts.h"

namespace lockkeeper::sql {

/// What the parse tree of one statement, as libpg_query's JSON, says of its tables and parameters.
void read_parse_tree(const nlohmann::json& statement, QueryFacts& facts);

/// Rewrites `interval $1`, which pg_stat_statements makes of a typed constant and no server takes, as
/// `$1::interval`.
std::string with_casts(const nlohmann::json& statement, const std::string& text);

}  // namespace lockkeeper::sql
