#pragma once

#include <functional>
#include <string>
#include <vector>

#include "scenario/scenario.h"

namespace lockkeeper::scenario {

/// Reads a scenario file. Paths in it are relative to the repository's root: the nearest folder above the
/// file that has them, else the working directory. `rules` are the known rule ids, for allow, levels and
/// expect_findings. Strict: an unknown key, a wrong type, a missing file, a bad date is a usage failure with
/// line and column.
Result<Scenario> load(const std::string& path, const std::vector<std::string>& rules);

/// The allow list of a file that holds nothing else (lockkeeper baseline writes one), as strictly.
Result<std::vector<Allow>> load_baseline(const std::string& path, const std::vector<std::string>& rules);

/// What a scenario's text, as an earlier release has it, says that release runs: its queries and writes. The
/// rest of it is not looked at. `path` is for messages. `folder_at` leads to a folder of queries as that
/// release has it.
using FolderAt = std::function<Result<std::string>(const std::string& folder)>;
Result<OldRelease> load_release(const std::string& path, std::string text, FolderAt folder_at = {});

/// A scenario for a folder of migrations and nothing else.
Scenario for_directory(const std::string& path);

}  // namespace lockkeeper::scenario
