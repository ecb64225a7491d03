#pragma once

#include <filesystem>
#include <memory>

#include "engine/query_session.h"
#include "engine/sqlite/database.h"

namespace lockkeeper::engine::sqlite {

/// `pragmas`: what each of the instance's sessions begins with. Statistics are those that the file had when
/// it was opened.
Result<std::unique_ptr<QuerySession>> open_query_session(const std::filesystem::path& file,
                                                         const Pragmas& pragmas,
                                                         const QuerySettings& settings);

}  // namespace lockkeeper::engine::sqlite
