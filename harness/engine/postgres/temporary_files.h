#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace lockkeeper::engine::postgres {

/// What a server's log tells of temporary files (log_temp_files = 0): a line for each when it goes, which is
/// before the client hears that the statement is over.
class TemporaryFiles {
 public:
  /// From where the log ends now.
  explicit TemporaryFiles(std::filesystem::path log);

  /// Bytes of those that the process, and workers that helped it, have let go since the last call.
  std::uint64_t bytes_since(int process);

 private:
  std::filesystem::path m_log;
  std::uintmax_t m_read = 0;
  std::string m_unfinished;  ///< the last line's beginning
};

/// What of such lines belongs to the process: "… temporary file: path "base/pgsql_tmp/pgsql_tmp12.0", size
/// 8192".
std::uint64_t temporary_bytes_in(const std::string& lines, int process);

}  // namespace lockkeeper::engine::postgres
