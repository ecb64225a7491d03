#include "app/memory_disk.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lockkeeper::app {

namespace {

namespace fs = std::filesystem;

fs::path parent() {
  return fmt::format("/dev/shm/lockkeeper-{}", ::geteuid());
}

/// /dev/shm is open to everybody: a directory of this name may be somebody else's, or a link.
bool is_ours(const fs::path& directory) {
  struct stat status {};
  return ::lstat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == ::geteuid() && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

}  // namespace

std::optional<RunDirectory> memory_run_directory() {
  struct stat status {};
  const bool there = ::lstat(parent().c_str(), &status) == 0;
  if (there && !is_ours(parent())) return std::nullopt;
  auto directory = RunDirectory::create(parent());
  if (!directory || !is_ours(parent())) return std::nullopt;
  return std::move(*directory);
}

void sweep_memory_disk() {
  if (is_ours(parent())) sweep_dead_runs(parent());
}

}  // namespace lockkeeper::app
