#pragma once

#include "base/result.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/connection.h"

namespace lockkeeper::engine::postgres {

/// Lets the pages of large objects count as rows of a table, `pg_catalog.pg_largeobject`, where the catalog
/// shows any large object and the session may read them: only a superuser may unless granted.
Result<void> count_large_objects_as_rows(Connection& connection, Catalog& catalog);

}  // namespace lockkeeper::engine::postgres
