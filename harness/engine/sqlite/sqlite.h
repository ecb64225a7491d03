#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"

namespace lockkeeper::engine::sqlite {

struct FileOptions {
  /// What sessions begin with, and what a new file is made with (encoding, page_size, …), in the order given.
  std::vector<std::pair<std::string, std::string>> pragmas;
  /// This run's own directory (base/run_directory.h), removed by its owner.
  std::filesystem::path run_directory;
};

/// Databases in files of our own, through the library that we are linked with.
std::unique_ptr<Engine> files(FileOptions options);

/// "3.40.1"
std::string library_version();

}  // namespace lockkeeper::engine::sqlite
