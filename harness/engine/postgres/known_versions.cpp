#include "engine/postgres/known_versions.h"

#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "engine/postgres/binaries.h"

namespace lockkeeper::engine::postgres {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view k_versions_head = "lockkeeper versions 1";
constexpr std::string_view k_versions_end = "end";
constexpr std::size_t k_most_programs = 100;

bool only_we_write(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == ::geteuid() &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool is_version(const std::string& text) {
  return version_in("postgres (PostgreSQL) " + text) == text;
}

}  // namespace

KnownVersions::KnownVersions(fs::path file) : m_file(std::move(file)) {
  if (m_file.empty() || !only_we_write(m_file)) return;
  const std::vector<std::string> lines = split(read_file(m_file).value_or(""), '\n');
  if (lines.size() < 3 || lines.front() != k_versions_head || lines[lines.size() - 2] != k_versions_end)
    return;
  for (std::size_t i = 1; i + 2 < lines.size(); ++i) {
    std::vector<std::string> fields = split(lines[i], '\t');
    if (fields.size() != 3 || !is_version(fields[0])) {
      m_known.clear();
      return;
    }
    m_known[fields[2]] = {std::move(fields[1]), std::move(fields[0])};
  }
}

std::string KnownVersions::key_of(const fs::path& program) {
  struct stat status {};
  if (::stat(program.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  return fmt::format("{}:{}:{}:{}.{}:{}.{}", status.st_dev, status.st_ino, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
                     status.st_ctim.tv_nsec);
}

std::optional<std::string> KnownVersions::of(const fs::path& program, const std::string& key) const {
  const auto found = m_known.find(program.string());
  if (found == m_known.end() || key.empty() || found->second.key != key) return std::nullopt;
  return found->second.version;
}

void KnownVersions::add(const fs::path& program, const std::string& key, const std::string& version) {
  const bool writable = program.string().find_first_of("\t\n") == std::string::npos;
  if (m_file.empty() || key.empty() || !writable) return;
  if (m_known.size() >= k_most_programs) m_known.clear();
  m_known[program.string()] = {key, version};
  m_changed = true;
}

void KnownVersions::save() const {
  if (!m_changed) return;
  std::string text = std::string(k_versions_head) + "\n";
  for (const auto& [path, known] : m_known)
    text += fmt::format("{}\t{}\t{}\n", known.version, known.key, path);
  static_cast<void>(write_file(m_file, text + std::string(k_versions_end) + "\n"));
}

}  // namespace lockkeeper::engine::postgres
