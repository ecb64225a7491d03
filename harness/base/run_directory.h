#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace lockkeeper {

/// The directory of one run, `<parent>/run-<pid>-<random>`, locked as long as this object lives, removed with
/// it unless a database in it was kept. Everything that a run makes outside the store lies in it, or is
/// written down in it.
class RunDirectory {
 public:
  /// `parent` is made where it is missing. As root both can be traversed by the servers' account.
  static Result<RunDirectory> create(const std::filesystem::path& parent);

  RunDirectory(RunDirectory&& other) noexcept;
  RunDirectory& operator=(RunDirectory&& other) = delete;
  RunDirectory(const RunDirectory&) = delete;
  RunDirectory& operator=(const RunDirectory&) = delete;
  ~RunDirectory();

  const std::filesystem::path& path() const { return m_path; }

 private:
  RunDirectory(std::filesystem::path path, int lock) : m_path(std::move(path)), m_lock(lock) {}
  std::filesystem::path m_path;
  int m_lock = -1;
};

/// The directory for a server's socket: `wanted`, made 0700, if `<wanted>/.s.PGSQL.5432` is a possible socket
/// address (107 bytes), else a new /tmp/lockkeeper-XXXXXX that is written down in the run's directory, for
/// the sweep.
Result<std::filesystem::path> make_socket_directory(const std::filesystem::path& run_directory,
                                                    const std::filesystem::path& wanted);

/// Leaves the run's directory standing when the run ends; `line` is how to connect to what was kept in it.
Result<void> mark_kept(const std::filesystem::path& run_directory, const std::string& line);

struct Swept {
  int directories = 0;                ///< removed
  int processes = 0;                  ///< ended
  std::vector<std::string> failures;  ///< what could not be removed, and why
};

/// Removes what runs that are dead left below `parent`: first every process that works in such a directory is
/// ended, then the directory and its socket directories removed. Only directories named and marked as ours,
/// owned by us, whose lock nobody holds; kept ones stay.
Swept sweep_dead_runs(const std::filesystem::path& parent);

/// Ends every process that works in this directory or below: SIGQUIT, after `grace` SIGKILL. Returns how
/// many.
int end_processes_in(const std::filesystem::path& directory, std::chrono::milliseconds grace);

/// A run whose database was kept.
struct KeptRun {
  std::filesystem::path directory;
  std::string line;  ///< psql '…'
  bool running = false;
};
std::vector<KeptRun> kept_runs(const std::filesystem::path& parent);
/// Ends a kept run's server and removes its directory.
Result<void> remove_kept_run(const KeptRun& kept);

}  // namespace lockkeeper
