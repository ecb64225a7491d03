#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace lockkeeper::engine::postgres {

/// What Instance::run_in_traffic() says.
Result<record::Traffic> run_in_traffic(const std::string& connection, const std::vector<std::string>& tables,
                                       const std::vector<Instance::TrafficQuery>& queries,
                                       const std::function<Result<SideOutcome>()>& run);

}  // namespace lockkeeper::engine::postgres
