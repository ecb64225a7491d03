#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/process.h"

namespace lockkeeper::engine::postgres {

/// A client program (psql, pg_dump, pg_restore) with the connection in its environment, where no list of
/// processes shows it, and messages that we can read.
Command client_command(const std::map<std::string, std::string>& environment, const std::string& options,
                       std::vector<std::string> argv);

/// Errors that say only that a dump comes from another version, and leave nothing out.
bool is_harmless(const std::string& message);

/// Each message once that pg_restore ("pg_restore: error: …") or psql ("psql:file:3: ERROR: …") told, without
/// the harmless ones.
std::vector<std::string> client_errors(const std::string& said);

}  // namespace lockkeeper::engine::postgres
