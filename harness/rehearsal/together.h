#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "history/history.h"

namespace lockkeeper::rehearsal {

/// The ups of several migrations in one transaction, as a tool sends them that puts all that is pending into
/// one.
struct JoinedUps {
  sql::Script script;
  std::vector<std::size_t> ends;  ///< how many statements there are up to the end of each
  std::string bookkeeping;
};

/// `indexes` are those of the migrations in the history, in its order.
Result<JoinedUps> join_ups(const history::History& history, const std::vector<std::size_t>& indexes);

}  // namespace lockkeeper::rehearsal
