#include "engine/postgres/temporary_files.h"

#include <cstdlib>
#include <fstream>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace lockkeeper::engine::postgres {

std::uint64_t temporary_bytes_in(const std::string& lines, int process) {
  // Files of workers carry the number of the process that they help.
  const std::string mark = fmt::format("/pgsql_tmp{}.", process);
  constexpr std::string_view k_size = ", size ";
  std::uint64_t bytes = 0;
  for (auto at = lines.find(mark); at != std::string::npos; at = lines.find(mark, at + 1)) {
    const auto end = lines.find('\n', at);
    const auto begin = lines.rfind('\n', at);
    const std::string line = lines.substr(begin + 1, end - begin - 1);
    const auto size = line.find(k_size);
    if (line.find("temporary file: path") != std::string::npos && size != std::string::npos)
      bytes += std::strtoull(line.c_str() + size + k_size.size(), nullptr, 10);
  }
  return bytes;
}

TemporaryFiles::TemporaryFiles(std::filesystem::path log) : m_log(std::move(log)) {
  std::error_code error;
  m_read = std::filesystem::file_size(m_log, error);
  if (error) m_read = 0;
}

std::uint64_t TemporaryFiles::bytes_since(int process) {
  std::error_code error;
  const auto size = std::filesystem::file_size(m_log, error);
  if (error || size <= m_read) return 0;
  std::ifstream file(m_log, std::ios::binary);
  if (!file.seekg(static_cast<std::streamoff>(m_read))) return 0;
  std::string text(static_cast<std::size_t>(size - m_read), '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  m_read += static_cast<std::uintmax_t>(file.gcount());
  text = m_unfinished + text.substr(0, static_cast<std::size_t>(file.gcount()));
  const auto end = text.rfind('\n');
  m_unfinished = end == std::string::npos ? text : text.substr(end + 1);
  return end == std::string::npos ? 0 : temporary_bytes_in(text.substr(0, end), process);
}

}  // namespace lockkeeper::engine::postgres
