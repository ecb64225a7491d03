#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sql/query_facts.h"

namespace lockkeeper::sql {

/// A SELECT that yields two sets of values for the parameters of a statement, out of the rows that its tables
/// hold: the commonest combination of values and the rarest, ranges wide and narrow, each value as text. One
/// clause a line. `missing` instead where nothing is known of a parameter: its number.
struct ParameterQuery {
  std::string sql;
  int missing = 0;
};
ParameterQuery parameter_query(const std::vector<ParameterUse>& parameters);

}  // namespace lockkeeper::sql
