#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace lockkeeper::engine::sqlite {

/// "table.column" of every table in a database file, sorted.
Result<std::vector<std::string>> column_names(const std::filesystem::path& file);

/// Copies a database that others may be writing to as it is at one moment, into an existing empty file. What
/// it was written by does not wait where its journal is a WAL; else until the copy is made.
Result<void> copy_pages(const std::filesystem::path& from, const std::filesystem::path& to);

/// The same of a database that is not our own: a failure where it turns out damaged.
Result<void> copy_database(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace lockkeeper::engine::sqlite
