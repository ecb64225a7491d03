#pragma once

#include <memory>
#include <string>

#include "engine/query_session.h"

namespace lockkeeper::engine::postgres {

/// `on_this_machine`: the server's processes are ours to pin.
Result<std::unique_ptr<QuerySession>> open_query_session(const std::string& connection,
                                                         const QuerySettings& settings, bool on_this_machine);

}  // namespace lockkeeper::engine::postgres
