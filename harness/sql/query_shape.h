#pragma once

#include <string_view>

#include "sql/dialect.h"

namespace lockkeeper::sql {

/// What a query says of itself by its words.
struct QueryShape {
  bool is_query = false;  ///< it begins as what reads or writes rows does, and as nothing else
  bool ordered = false;   ///< it ends with an ORDER BY of its own
  bool writes = false;    ///< INSERT, UPDATE, DELETE, MERGE, REPLACE, also in WITH; SELECT … FOR UPDATE
};

QueryShape shape_of(std::string_view query, Dialect dialect);

}  // namespace lockkeeper::sql
