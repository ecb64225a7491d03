#pragma once

#include <string>
#include <vector>

#include "scenario/fields.h"
#include "scenario/scenario.h"

namespace lockkeeper::scenario {

/// Reads the value of key `release`. `checks`: names of checks elsewhere in the scenario that a point of the
/// checklist may rest on.
ReleasePlan read_release_plan(Problems& problems, const Value& value, const std::vector<std::string>& rules,
                              const std::vector<std::string>& checks);

}  // namespace lockkeeper::scenario
