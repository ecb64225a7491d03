#pragma once

#include <string>

#include "history/history.h"

namespace lockkeeper::history {

/// What a history has that the one which is in production (`base`) has not is on trial. What it has otherwise
/// than the base, has no longer, or puts in between is noted as a fact; `name` says which base that is. Where
/// the tool runs late ones all the same, they come last in the history too. The base must still be there to
/// be read.
Trial trial_beside(History& history, const History& base, const std::string& name);

}  // namespace lockkeeper::history
