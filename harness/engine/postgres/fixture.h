#pragma once

#include <optional>
#include <string>

#include "base/process.h"
#include "base/result.h"
#include "engine/postgres/binaries.h"

namespace lockkeeper::engine::postgres {

struct FixtureRequest {
  std::string path;
  std::string table;            ///< for .csv; the file's stem where empty
  std::string connection;       ///< libpq connection string to the database to fill
  int scale = 1;                ///< what current_setting('lockkeeper.scale') says while it is loaded
  std::optional<RunAs> run_as;  ///< as root: whom psql runs as, since a file's \! is a shell
};

/// Loads a file into a database: SQL through psql, pg_dump's archives through pg_restore, CSV through COPY.
/// Usage failures where the file or what is in it is at fault (with file:line where there are lines);
/// environment failures where a client is missing or the server is lost.
Result<void> load_fixture(const Tools& tools, const FixtureRequest& request);

/// The server option that sets it, as PGOPTIONS has it.
std::string scale_option(int scale);

}  // namespace lockkeeper::engine::postgres
