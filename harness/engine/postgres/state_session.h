#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "engine/postgres/connection.h"

namespace lockkeeper::engine::postgres {

/// A session whose settings are pinned, so that the same state always reads as the same text: nothing but
/// pg_catalog on the search path, ISO dates, UTC, exact floats, no time limits. Read back before it is used.
Result<Connection> open_state_session(const std::string& connection);

/// A setting that a session is pinned to.
struct PinnedSetting {
  const char* name;
  const char* value;  ///< SQL
  const char* shown;  ///< as the server gives it back
};

/// Those that the text of values and definitions hangs on: with them the same schema reads the same.
std::span<const PinnedSetting> text_settings();

}  // namespace lockkeeper::engine::postgres
