#include "base/run_directory.h"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"

namespace lockkeeper {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
constexpr const char* k_marker = "lockkeeper-run";
constexpr const char* k_marker_text =
    "a run of lockkeeper; removed by the next one when its process is gone\n";
constexpr const char* k_lock = "lock";
constexpr const char* k_kept = "kept";
constexpr const char* k_sockets = "socket-directories";
constexpr const char* k_parent_lock = "lock";
constexpr const char* k_socket_prefix = "/tmp/lockkeeper-";
// sun_path holds 108 bytes with the closing zero (unix(7)); the server adds this to the directory.
constexpr std::size_t k_longest_socket = 107;
constexpr std::string_view k_socket_name = "/.s.PGSQL.5432";

unsigned traversable_mode() {
  return ::geteuid() == 0 ? 0711 : 0700;
}

/// A directory of ours, not a link that somebody laid in the way.
bool is_our_directory(const fs::path& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == ::geteuid();
}

/// A socket directory belongs to the servers' account, which is not always us.
bool is_socket_directory(const std::string& path) {
  struct stat status {};
  const std::string rest = path.substr(std::min(path.size(), std::strlen(k_socket_prefix)));
  return path.starts_with(k_socket_prefix) && rest.find('/') == std::string::npos && rest.size() == 6 &&
         ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         (::geteuid() == 0 || status.st_uid == ::geteuid());
}

bool has_run_name(const std::string& name) {
  return name.starts_with("run-");
}

std::vector<fs::path> run_directories(const fs::path& parent) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(parent, error), end; !error && entry != end; entry.increment(error)) {
    if (has_run_name(entry->path().filename().string()) && is_our_directory(entry->path())) {
      found.push_back(entry->path());
    }
  }
  return found;
}

/// Processes whose working directory lies in `directory`: a postmaster and all that it starts work in the
/// data directory. One of another account that we may not look at is none of ours.
std::vector<pid_t> processes_in(const fs::path& directory) {
  std::vector<pid_t> found;
  std::error_code error;
  const std::string inside = fs::weakly_canonical(directory, error).string();
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    pid_t pid = 0;
    const auto [stopped, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (bad != std::errc() || stopped != name.data() + name.size() || pid == ::getpid()) continue;
    std::error_code unreadable;
    const std::string cwd = fs::read_symlink(entry->path() / "cwd", unreadable).string();
    // " (deleted)" is added by the kernel when the directory is gone already.
    if (!unreadable && (cwd == inside || cwd.starts_with(inside + "/") || cwd == inside + " (deleted)")) {
      found.push_back(pid);
    }
  }
  return found;
}

/// Line 7 of postmaster.pid is key and number of the System V segment by which PostgreSQL guards a data
/// directory; a server that was killed leaves it behind.
void remove_shared_memory(const fs::path& pid_file) {
  std::ifstream file(pid_file);
  std::string line;
  for (int i = 0; i < 7; ++i) {
    if (!std::getline(file, line)) return;
  }
  const std::vector<std::string> fields = split(trimmed(line), ' ');
  int id = -1;
  const std::string& last = fields.back();
  if (std::from_chars(last.data(), last.data() + last.size(), id).ec != std::errc() || id < 0) return;
  struct shmid_ds status {};
  if (::shmctl(id, IPC_STAT, &status) == 0 && status.shm_nattch == 0) ::shmctl(id, IPC_RMID, nullptr);
}

void remove_shared_memory_below(const fs::path& directory) {
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    const fs::path pid_file = entry->path() / "data" / "postmaster.pid";
    if (fs::exists(pid_file, error)) remove_shared_memory(pid_file);
  }
}

Result<void> remove_run(const fs::path& directory, int& processes) {
  processes += end_processes_in(directory, std::chrono::seconds(5));
  remove_shared_memory_below(directory);
  if (const auto sockets = read_file(directory / k_sockets)) {
    for (const std::string& line : split(*sockets, '\n')) {
      if (!is_socket_directory(line)) continue;
      if (const auto removed = remove_tree(line); !removed) return removed;
    }
  }
  // The lock goes last: a sweep that is killed leaves a directory that the next one knows.
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name == k_lock || name == k_marker) continue;
    if (const auto removed = remove_tree(entry->path()); !removed) return removed;
  }
  return remove_tree(directory);
}

/// "run-4711-x7Gq2a" → is there a process 4711?
bool owner_lives(const fs::path& directory) {
  const std::vector<std::string> parts = split(directory.filename().string(), '-');
  const long pid = parts.size() > 1 ? std::strtol(parts[1].c_str(), nullptr, 10) : 0;
  return pid > 0 && (::kill(static_cast<pid_t>(pid), 0) == 0 || errno != ESRCH);
}

/// A child that the dead run had forked and that has not come to its exec yet still holds the lock for a
/// moment, a long one where the processors are busy.
std::optional<FileLock> lock_of_dead_run(const fs::path& directory) {
  const auto until = Clock::now() + std::chrono::seconds(10);
  while (true) {
    auto lock = FileLock::open(directory / k_lock, LOCK_EX | LOCK_NB, 0);
    if (lock || owner_lives(directory) || Clock::now() > until) return lock;
    ::poll(nullptr, 0, 2);
  }
}

void sweep_one(const fs::path& directory, bool whole, Swept& swept) {
  if (whole) {
    const auto lock = lock_of_dead_run(directory);
    if (!lock || ::access((directory / k_kept).c_str(), F_OK) == 0) return;
    const auto removed = remove_run(directory, swept.processes);
    if (removed) {
      ++swept.directories;
    } else {
      swept.failures.push_back(removed.error().message);
    }
    return;
  }
  // Its maker died between mkdir and the marker: it holds nothing but, at most, an empty lock.
  std::error_code error;
  fs::remove(directory / k_lock, error);
  if (::rmdir(directory.c_str()) == 0) ++swept.directories;
}

}  // namespace

Result<RunDirectory> RunDirectory::create(const fs::path& parent) {
  std::error_code error;
  fs::create_directories(parent, error);
  if (error) {
    errno = error.value();
    return cannot_in_store("make", parent);
  }
  if (is_our_directory(parent)) ::chmod(parent.c_str(), traversable_mode());
  // Held while a directory is half made, so that a sweep never takes it for a dead one's.
  const auto guard = FileLock::open(parent / k_parent_lock, LOCK_EX, O_CREAT);
  if (!guard) return cannot_in_store("lock", parent / k_parent_lock);
  std::string path = (parent / fmt::format("run-{}-XXXXXX", ::getpid())).string();
  if (::mkdtemp(path.data()) == nullptr) return cannot_in_store("make", path);
  auto lock = FileLock::open(fs::path(path) / k_lock, LOCK_EX | LOCK_NB, O_CREAT);
  if (!lock || ::chmod(path.c_str(), traversable_mode()) != 0) return cannot_in_store("lock", path);
  if (const auto marked = write_file(fs::path(path) / k_marker, k_marker_text); !marked)
    return failed(marked);
  return RunDirectory(path, lock->release());
}

RunDirectory::RunDirectory(RunDirectory&& other) noexcept
    : m_path(std::move(other.m_path)), m_lock(std::exchange(other.m_lock, -1)) {}

RunDirectory::~RunDirectory() {
  if (m_lock < 0) return;
  if (::access((m_path / k_kept).c_str(), F_OK) != 0) {
    int processes = 0;
    // What cannot be removed now is removed by the next run's sweep, which reports what it cannot.
    static_cast<void>(remove_run(m_path, processes));
  }
  ::close(m_lock);
}

Result<fs::path> make_socket_directory(const fs::path& run_directory, const fs::path& wanted) {
  if (wanted.string().size() + k_socket_name.size() <= k_longest_socket) {
    if (::mkdir(wanted.c_str(), 0700) != 0 && errno != EEXIST) return cannot_in_store("make", wanted);
    return wanted;
  }
  std::string path = std::string(k_socket_prefix) + "XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return cannot_in_store("make", path);
  std::ofstream list(run_directory / k_sockets, std::ios::app);
  list << path << '\n' << std::flush;
  if (!list) {
    ::rmdir(path.c_str());
    return cannot_in_store("write", run_directory / k_sockets);
  }
  return fs::path(path);
}

Result<void> mark_kept(const fs::path& run_directory, const std::string& line) {
  return write_file(run_directory / k_kept, line + "\n");
}

int end_processes_in(const fs::path& directory, std::chrono::milliseconds grace) {
  const std::vector<pid_t> first = processes_in(directory);
  // PostgreSQL's immediate shutdown: the postmaster takes its children and its shared memory with it.
  for (const pid_t pid : first) {
    ::kill(pid, SIGCONT);
    ::kill(pid, SIGQUIT);
  }
  const auto until = Clock::now() + grace;
  std::vector<pid_t> left = first;
  while (!left.empty() && Clock::now() < until) {
    ::poll(nullptr, 0, 2);
    left = processes_in(directory);
  }
  for (const pid_t pid : left) ::kill(pid, SIGKILL);
  const auto last = Clock::now() + std::chrono::seconds(5);
  while (!left.empty() && Clock::now() < last) {
    ::poll(nullptr, 0, 2);
    left = processes_in(directory);
  }
  return static_cast<int>(first.size());
}

Swept sweep_dead_runs(const fs::path& parent) {
  Swept swept;
  std::vector<std::pair<fs::path, bool>> found;
  {
    const auto guard = FileLock::open(parent / k_parent_lock, LOCK_EX, 0);
    if (!guard) return swept;
    for (const fs::path& directory : run_directories(parent)) {
      const bool whole = ::access((directory / k_marker).c_str(), F_OK) == 0;
      // Nobody is making one now, so one without a marker is dead.
      if (whole) found.emplace_back(directory, true);
      if (!whole) sweep_one(directory, false, swept);
    }
  }
  for (const auto& [directory, whole] : found) sweep_one(directory, whole, swept);
  return swept;
}

std::vector<KeptRun> kept_runs(const fs::path& parent) {
  std::vector<KeptRun> kept;
  for (const fs::path& directory : run_directories(parent)) {
    const auto line = read_file(directory / k_kept);
    if (line) kept.push_back({directory, trimmed(*line), !processes_in(directory).empty()});
  }
  return kept;
}

Result<void> remove_kept_run(const KeptRun& kept) {
  const auto lock = FileLock::open(kept.directory / k_lock, LOCK_EX | LOCK_NB, 0);
  if (!lock) {
    return failed(FailureKind::environment,
                  fmt::format("cannot remove '{}': its run has not ended", kept.directory.string()));
  }
  int processes = 0;
  return remove_run(kept.directory, processes);
}

}  // namespace lockkeeper
