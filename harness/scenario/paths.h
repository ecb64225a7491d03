#pragma once

#include <optional>
#include <string>

namespace lockkeeper::scenario {

/// Where a path of a scenario lies: as it is when absolute, else below the nearest folder above
/// `scenario_file` that has it, else below the working directory. Relative to the working directory where it
/// lies in there. None where it is nowhere.
std::optional<std::string> find_path(const std::string& scenario_file, const std::string& path);

/// " (did you mean 'fixtures/data.sql'?)", by the names that stand where the path should lead; or nothing.
std::string similar_path(const std::string& scenario_file, const std::string& path);

}  // namespace lockkeeper::scenario
