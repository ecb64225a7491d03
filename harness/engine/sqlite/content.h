#pragma once

#include "base/result.h"
#include "engine/sqlite/database.h"
#include "engine/sqlite/schema.h"
#include "engine/state.h"

namespace lockkeeper::engine::sqlite {

/// Counts the rows of a table and hashes its columns in one pass, whatever the order of rows. A value is told
/// by its storage class too: 1, 1.0 and '1' are three. `previous` (may be null) is the table as an earlier
/// state has it: which columns stand together there, and which types they had.
Result<TableContent> read_content(Database& database, const TableShape& table, const TableContent* previous);

}  // namespace lockkeeper::engine::sqlite
