#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "engine/postgres/connection.h"

namespace lockkeeper::engine::postgres {

/// A session in a transaction that reads one snapshot and can write nothing; `statement_timeout` for each of
/// its statements. A usage failure where the server refuses the role, the password or the database.
Result<Connection> open_source(const std::string& connection, std::chrono::seconds statement_timeout);

/// What a statement of ours was refused with: missing rights and rows hidden by policies are usage failures.
Failure source_failure(const std::string& what, const Connection::Answered& answered);

}  // namespace lockkeeper::engine::postgres
