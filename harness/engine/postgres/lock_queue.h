#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace lockkeeper::engine::postgres {

/// What Instance::queue_behind_reader() says; `run` drives the side and is called in a thread of its own.
/// That the side waits is seen in pg_locks, asked for every two milliseconds: a wait shorter than that is
/// missed, and would keep nobody.
Result<record::QueueWait> queue_behind_reader(const std::string& connection, const std::string& table,
                                              std::chrono::milliseconds open,
                                              const std::function<Result<SideOutcome>()>& run);

}  // namespace lockkeeper::engine::postgres
