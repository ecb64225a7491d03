#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/process.h"
#include "engine/engine.h"
#include "engine/postgres/binaries.h"

namespace lockkeeper::engine::postgres {

/// The database that is backed up, and who does it.
struct BackupPlace {
  std::string connection;
  const Tools* tools = nullptr;
  std::optional<RunAs> run_as;
};

Result<std::uint64_t> database_size(const std::string& connection);

/// pg_dump of the request's form, or the scenario's own command.
Result<record::ToolRun> back_up(const BackupPlace& place, const BackupRequest& request);

/// pg_restore --list; of SQL whether it is whole, and the objects that its comments name.
Result<BackupContents> look_into(const BackupPlace& place, const BackupRequest& request,
                                 const std::vector<std::string>& tables);

/// pg_restore or psql by what the file is. Over a database as it is they are called as runbooks do: with
/// --clean --if-exists, and without ON_ERROR_STOP. No session of ours may be in the database.
Result<record::ToolRun> bring_back(const BackupPlace& place, const RestoreRequest& request);

}  // namespace lockkeeper::engine::postgres
