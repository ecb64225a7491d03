#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/process.h"

namespace lockkeeper::engine::postgres {

/// A client program (psql, pg_dump, pg_restore) with the connection in its environment, where no list of
/// processes shows it, and messages that we can read. Of the other variables of libpq ours are not passed on.
Command client_command(const std::map<std::string, std::string>& environment, std::vector<std::string> argv);

/// An archive's table of contents begins so.
constexpr std::string_view k_archive_mark = "PGDMP";
/// pg_dump's tar format, by its first file: an archive's table of contents.
bool is_tar_dump(std::string_view head);

/// Errors that say only that a dump comes from another version, and leave nothing out.
bool is_harmless(const std::string& message);

/// Each message once that pg_restore ("pg_restore: error: …") or psql ("psql:file:3: ERROR: …") told, without
/// the harmless ones.
std::vector<std::string> client_errors(const std::string& said);

}  // namespace lockkeeper::engine::postgres
