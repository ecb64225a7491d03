#pragma once

#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/postgres/connection.h"

namespace lockkeeper::engine::postgres {

/// Can down run in a transaction of ours? Its own BEGIN and COMMIT are left out then, and its indexes are not
/// dropped CONCURRENTLY.
bool can_be_rolled_back(const sql::Script& down);

/// What Instance::roll_back_later() says; without `drive` for a down that can be rolled back.
Result<std::vector<record::Write>> roll_back_later(const std::string& connection,
                                                   const LaterRollback& request);

/// Writes what is wished, as far as it can be, and commits it.
Result<std::vector<record::Write>> write_to_stay(const std::string& connection,
                                                 const std::vector<WriteWish>& wishes);

}  // namespace lockkeeper::engine::postgres
