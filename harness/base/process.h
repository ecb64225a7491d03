#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "base/result.h"

namespace lockkeeper {

/// The account that a child is to run as; only root can choose one.
struct RunAs {
  std::string name;
  unsigned uid = 0;
  unsigned gid = 0;
};

/// What to execute, without a shell. argv[0] is a path, or a name that is looked for in PATH.
struct Command {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;  ///< added to ours
  std::vector<std::string> unset;   ///< taken out of ours; a trailing '*' takes all that begin so
  std::filesystem::path directory;  ///< working directory; empty: ours
  std::optional<RunAs> run_as;
  /// Writing a file beyond so many bytes fails, as on a full disk (setrlimit(2), RLIMIT_FSIZE).
  std::optional<std::uint64_t> file_limit = {};
};

/// Fills the buffer with what the child reads next and returns how many bytes that is; 0 at the end.
using Feed = std::function<Result<std::size_t>(char* buffer, std::size_t size)>;

/// Of processes that a child leaves in its group, or that hold its output open when it has ended.
enum class Leftovers {
  await,  ///< until they close it
  end     ///< SIGKILL for the group; what it has said by then is all that is waited for
};

struct RunOptions {
  std::chrono::milliseconds deadline{0};  ///< 0: none; on reaching it the child is killed, a Failure returned
  Feed input;                             ///< none: the child reads nothing
  std::size_t output_limit = 4UL * 1024 * 1024;  ///< of each stream; what is over it is read and dropped
  /// Sees the error stream as it comes in, before it is appended to `errors`.
  std::function<void(std::string_view)> watch_errors;
  std::function<void(std::string_view)> watch_output = {};  ///< the same for the other one
  /// Takes what the child writes, which is then not collected; its failure ends the child.
  std::function<Result<void>(std::string_view)> take_output = {};
  Leftovers leftovers = Leftovers::await;
};

struct Finished {
  int exit_code = -1;  ///< -1 where a signal ended it
  int signal = 0;
  std::string output;
  std::string errors;

  bool ok() const { return exit_code == 0; }
  /// "exit code 3", "killed by SIGSEGV"
  std::string status() const;
};

/// Runs a child to its end in a process group of its own and collects what it says; our end or an interrupt
/// ends the whole group. Failures: cannot be started, deadline, interrupt, the feed's own.
Result<Finished> run(const Command& command, const RunOptions& options = {});

/// A child that lives as long as this object, in a session of its own (a terminal's ^C does not reach it).
/// Unless detached it gets SIGQUIT when the thread that started it ends (PR_SET_PDEATHSIG looks at the
/// thread, not at the process): the thread that starts a Daemon has to outlive it.
class Daemon {
 public:
  enum class Life { bound_to_ours, detached };

  /// Standard output and error are appended to `log`. A failure where it cannot be executed.
  static Result<Daemon> start(const Command& command, const std::filesystem::path& log, Life life);

  Daemon(Daemon&& other) noexcept;
  Daemon& operator=(Daemon&& other) noexcept;
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();  ///< SIGQUIT, after 5 s SIGKILL, and the exit awaited; a detached one is left alone

  pid_t pid() const { return m_pid; }
  /// Has it ended by itself or by our signal?
  bool ended();
  /// Waits until it ended or the time is over; true if it ended. Does not look at interrupts: used by
  /// teardown.
  bool wait_for(std::chrono::milliseconds time);
  /// Sends the signal, waits, then SIGKILL; true if SIGKILL was not needed.
  bool stop(int signal, std::chrono::milliseconds deadline);
  /// How it ended: "exit code 1"; empty while it runs.
  const std::string& status() const { return m_status; }

 private:
  Daemon(pid_t pid, int descriptor, Life life) : m_pid(pid), m_descriptor(descriptor), m_life(life) {}
  void reap(int status);
  void release();

  pid_t m_pid = -1;
  int m_descriptor = -1;  ///< pidfd
  Life m_life = Life::bound_to_ours;
  bool m_ended = false;
  std::string m_status;
};

/// Where PATH has the program; none where it has not.
std::optional<std::filesystem::path> find_in_path(const std::string& program);

}  // namespace lockkeeper
