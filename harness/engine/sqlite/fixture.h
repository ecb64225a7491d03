#pragma once

#include <string>

#include "engine/sqlite/database.h"

namespace lockkeeper::engine::sqlite {

/// Loads a file into the database: SQL (a dump of the sqlite3 shell too), CSV with a header into a table (the
/// file's stem where `table` is empty), or another database, copied whole into an empty one. Each may be
/// compressed. Usage failures where the file or what is in it is at fault, with file:line:column.
/// lockkeeper_scale() says `scale` meanwhile. `scratch` is a directory of ours.
Result<void> load_fixture(Database& database, const std::string& path, const std::string& table, int scale,
                          const std::filesystem::path& scratch);

}  // namespace lockkeeper::engine::sqlite
