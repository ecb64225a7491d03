#pragma once

#include <filesystem>
#include <string>

#include "engine/engine.h"

namespace lockkeeper::engine::postgres {

/// Runs a tool against the database of `connection` with a pass-through between them. A directory is made in
/// `run_directory`, or below /tmp where that is empty, and removed at the end.
Result<SideOutcome> run_tool(const ToolRequest& request, const std::string& connection,
                             const std::filesystem::path& run_directory);

}  // namespace lockkeeper::engine::postgres
