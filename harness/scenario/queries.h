#pragma once

#include <functional>
#include <string>
#include <vector>

#include "scenario/fields.h"
#include "scenario/scenario.h"

namespace lockkeeper::scenario {

/// Key `queries`: maps, and folders of .sql files (scenario/query_file.h). What is wrong with them is
/// reported, in the file where it stands. `folder_at` leads to another place in which a folder's files are
/// read while they are called by where they lie.
std::vector<Query> read_queries(
    Problems& problems, const Value& list, const std::string& scenario_file,
    const std::function<Result<std::string>(const std::string& folder)>& folder_at = {});

/// Key `benchmark`.
Benchmark read_benchmark(Problems& problems, const Value& value);

/// Key `sizes`.
std::vector<SizeClaim> read_sizes(Problems& problems, const Value& value);

}  // namespace lockkeeper::scenario
