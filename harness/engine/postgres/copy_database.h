#pragma once

#include <string>

#include "base/result.h"
#include "engine/postgres/connection.h"

namespace lockkeeper::engine::postgres {

/// Makes database `to` of `from`, with which nobody is connected: its settings too, which a template does not
/// hand on. Comments, privileges and limits of the database itself are left behind.
Result<void> copy_database(Connection& session, const std::string& from, const std::string& to);

/// Gives `to` the settings that ALTER DATABASE and ALTER ROLE … IN DATABASE made for `from`.
Result<void> copy_settings(Connection& session, const std::string& from, const std::string& to);

}  // namespace lockkeeper::engine::postgres
