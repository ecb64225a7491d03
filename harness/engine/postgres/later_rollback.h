#pragma once

#include <vector>

#include "engine/engine.h"
#include "engine/postgres/connection.h"

namespace lockkeeper::engine::postgres {

/// What Instance::roll_back_later() says. Down's own BEGIN and COMMIT are left out and its indexes are not
/// dropped CONCURRENTLY, since all of it happens in one transaction of ours; what else cannot run in one
/// makes it a skipped write that says so.
Result<std::vector<record::Write>> roll_back_later(Connection& session, const LaterRollback& request);

}  // namespace lockkeeper::engine::postgres
