#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace lockkeeper {

/// The whole file as bytes; a usage failure where it is missing, a directory or unreadable.
Result<std::string> read_file(const std::filesystem::path& path);

/// Writes beside the target, then renames, so that a reader sees the old file or the new one whole.
Result<void> write_file(const std::filesystem::path& path, std::string_view content);

}  // namespace lockkeeper
