#pragma once

#include <set>
#include <string>

#include "base/result.h"

namespace lockkeeper::history {

/// The files that a git ref has below a folder, relative to it, empty where the ref does not have the folder.
/// A usage failure with git's own words where the folder is in no repository or the ref is not known.
Result<std::set<std::string>> files_in_ref(const std::string& directory, const std::string& ref);

}  // namespace lockkeeper::history
