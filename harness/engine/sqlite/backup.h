#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/sqlite/database.h"

namespace lockkeeper::engine::sqlite {

/// By the very commands of a runbook: cp, sqlite3 .backup, VACUUM INTO, or the scenario's own.
Result<record::ToolRun> back_up(const std::filesystem::path& file, const BackupRequest& request);

/// integrity_check, and the tables that the backup holds.
Result<BackupContents> look_into(const BackupRequest& request, const std::vector<std::string>& tables);

/// cp or sqlite3 .restore over the file. `fresh` removes the file, and what lies beside it, first. While an
/// application has the file open it has written before, and goes on behind. No session of ours may be open.
Result<record::ToolRun> bring_back(const std::filesystem::path& file, const RestoreRequest& request,
                                   const Pragmas& settings);

/// As Instance::fault_under_writer(): what another connection commits before the backup has to be in it, and
/// what it has not committed must not. Both are in a table of ours, which is gone again afterwards.
Result<std::string> fault_under_writer(const std::filesystem::path& file, const BackupRequest& request,
                                       const Pragmas& settings);

}  // namespace lockkeeper::engine::sqlite
