#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/sqlite/database.h"

/// What parts of a database take, as Instance answers it.
namespace lockkeeper::engine::sqlite {

/// By the pages of its b-tree, those of its long values included; of a virtual table those of its shadows.
Result<std::optional<std::int64_t>> size_of_table(Database& database, const std::string& table);
Result<std::optional<std::int64_t>> size_of_index(Database& database, const std::string& index);
/// Bytes in the records of its table: https://www.sqlite.org/fileformat2.html#record_format. A row written
/// before the column was added holds nothing of it, and counts as if it were written today.
Result<std::optional<std::int64_t>> size_of_column(Database& database, const std::string& column);
/// An expression among the columns is named by the whole index; one in another order or collation than usual
/// says so.
Result<std::vector<Instance::IndexInfo>> indexes(Database& database);
/// A failure where there is no such index.
Result<record::Microseconds> rebuild_index(Database& database, const std::string& index);

}  // namespace lockkeeper::engine::sqlite
