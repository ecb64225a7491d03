#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "engine/postgres/connection.h"

namespace lockkeeper::engine::postgres {

/// A session whose settings are pinned, so that the same state always reads as the same text: nothing but
/// pg_catalog on the search path, ISO dates, UTC, exact floats, no time limits. Read back before it is used.
Result<Connection> open_state_session(const std::string& connection);

}  // namespace lockkeeper::engine::postgres
