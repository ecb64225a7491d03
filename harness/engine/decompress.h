#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"

namespace lockkeeper::engine {

/// A file's content as a stream, uncompressed where it begins as gzip or zstd do, whatever its name. A
/// compressed file that is cut off or damaged is a failure, when its end is reached.
class FileStream {
 public:
  static Result<std::unique_ptr<FileStream>> open(const std::filesystem::path& path);
  virtual ~FileStream() = default;

  /// Fills the buffer with at least one byte and returns how many; 0 at the end.
  virtual Result<std::size_t> read(char* buffer, std::size_t size) = 0;
  virtual bool compressed() const = 0;
};

/// The first bytes of the content (fewer where it is shorter).
Result<std::string> head_of(const std::filesystem::path& path, std::size_t size);

}  // namespace lockkeeper::engine
