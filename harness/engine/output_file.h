#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "base/result.h"

namespace lockkeeper::engine {

/// A new file that is seen whole or not at all: written beside its place under a name of its own, readable
/// for its owner alone, and removed with the object unless finish() has put it into its place.
class OutputFile {
 public:
  /// Packed as gzip or zstd where the path ends in .gz or .zst. A usage failure where it cannot be made.
  static Result<std::unique_ptr<OutputFile>> create(const std::filesystem::path& path);
  virtual ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Where it lies until finish(), for a program that writes it itself.
  const std::filesystem::path& draft() const { return m_draft; }
  virtual Result<void> write(std::string_view bytes) { return put(bytes); }
  /// Writes what is left, waits for the disk, and renames; returns the file's size in bytes.
  Result<std::uint64_t> finish();

 protected:
  OutputFile(std::filesystem::path path, std::filesystem::path draft, Descriptor file)
      : m_path(std::move(path)), m_draft(std::move(draft)), m_file(std::move(file)) {}
  Result<void> put(std::string_view bytes);  ///< into the file, by way of a buffer
  virtual Result<void> end() { return {}; }  ///< of the packed data
  tl::unexpected<Failure> cannot_pack() const;

 private:
  Result<void> flush();

  std::filesystem::path m_path;
  std::filesystem::path m_draft;
  Descriptor m_file;
  std::string m_buffer;
  bool m_placed = false;
};

}  // namespace lockkeeper::engine
