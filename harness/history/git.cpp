#include "history/git.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

extern char** environ;

namespace lockkeeper::history {

namespace {

constexpr std::chrono::seconds k_time_limit{60};

struct Answer {
  int status = -1;
  std::string out;
  std::string err;
};

/// A pipe whose ends close themselves.
class Pipe {
 public:
  Pipe() { m_ok = ::pipe2(m_ends.data(), O_CLOEXEC) == 0; }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  bool ok() const { return m_ok; }
  int reading() const { return m_ends[0]; }
  int writing() const { return m_ends[1]; }
  void close_end(std::size_t end) {
    if (m_ends[end] >= 0) ::close(m_ends[end]);
    m_ends[end] = -1;
  }
  /// Reads what is there; closes the reading end when nothing more will come.
  void drain(std::string& into) {
    std::array<char, 65536> buffer;
    const ssize_t got = ::read(reading(), buffer.data(), buffer.size());
    if (got > 0) into.append(buffer.data(), static_cast<std::size_t>(got));
    if (got == 0 || (got < 0 && errno != EINTR)) close_end(0);
  }

 private:
  std::array<int, 2> m_ends{-1, -1};
  bool m_ok = false;
};

/// The environment without what a git hook sets for its own repository.
std::vector<std::string> environment() {
  std::vector<std::string> kept;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view variable = *entry;
    if (!variable.starts_with("GIT_") && !variable.starts_with("LC_ALL=")) kept.emplace_back(variable);
  }
  kept.emplace_back("LC_ALL=C");
  kept.emplace_back("GIT_OPTIONAL_LOCKS=0");
  return kept;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

Result<pid_t> start(std::vector<std::string> arguments, const Pipe& out, const Pipe& err) {
  std::vector<std::string> variables = environment();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.writing(), 1);
  posix_spawn_file_actions_adddup2(&actions, err.writing(), 2);
  pid_t child = -1;
  const int error = ::posix_spawnp(&child, "git", &actions, nullptr, pointers(arguments).data(),
                                   pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    return failed(FailureKind::environment, fmt::format("cannot run 'git': {}", std::strerror(error)),
                  "install git, or name the versions: --since, --last or --only");
  }
  return child;
}

/// Reads both pipes to their ends; false where the time limit came first.
bool read_all(Pipe& out, Pipe& err, Answer& answer) {
  const auto deadline = std::chrono::steady_clock::now() + k_time_limit;
  while (out.reading() >= 0 || err.reading() >= 0) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    // poll(2) passes over descriptors that are negative.
    std::array<pollfd, 2> waiting{pollfd{out.reading(), POLLIN, 0}, pollfd{err.reading(), POLLIN, 0}};
    if (::poll(waiting.data(), waiting.size(), static_cast<int>(left.count())) < 0 && errno != EINTR)
      return false;
    if (waiting[0].revents != 0) out.drain(answer.out);
    if (waiting[1].revents != 0) err.drain(answer.err);
  }
  return true;
}

Result<Answer> run_git(const std::string& directory, const std::vector<std::string>& arguments) {
  Pipe out;
  Pipe err;
  if (!out.ok() || !err.ok()) {
    return failed(FailureKind::environment, fmt::format("cannot run 'git': {}", std::strerror(errno)));
  }
  // In a container the checkout often belongs to another account, which git refuses without safe.directory.
  // The commands below read objects only; no hook and no fsmonitor of that repository may run.
  std::vector<std::string> whole = {"git", "-c",     "safe.directory=*", "-c", "core.fsmonitor=false",
                                    "-C",  directory};
  whole.insert(whole.end(), arguments.begin(), arguments.end());
  const Result<pid_t> child = start(std::move(whole), out, err);
  if (!child) return failed(child);
  out.close_end(1);
  err.close_end(1);
  Answer answer;
  const bool finished = read_all(out, err, answer);
  if (!finished) ::kill(*child, SIGKILL);
  int status = 0;
  while (::waitpid(*child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!finished) {
    return failed(FailureKind::environment,
                  fmt::format("git {}: no answer within {}", arguments.at(0), human(k_time_limit)));
  }
  answer.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return answer;
}

std::string first_line(const std::string& text) {
  return trimmed(text.substr(0, text.find('\n')));
}

/// The tree of a ref as an object id, so that nothing the user wrote is read as an option later.
Result<std::string> tree_of(const std::string& directory, const std::string& ref) {
  if (ref.empty() || ref.starts_with('-')) {
    return failed(FailureKind::usage, fmt::format("git ref '{}': not the name of a ref", ref),
                  "name a branch, a tag or a commit, for example origin/main");
  }
  const auto answer = run_git(directory, {"rev-parse", "--verify", "--end-of-options", ref + "^{tree}"});
  if (!answer) return failed(answer);
  if (answer->status == 0) return first_line(answer->out);
  const std::string said = first_line(answer->err);
  const bool no_repository = said.find("not a git repository") != std::string::npos;
  return failed(FailureKind::usage, fmt::format("git ref '{}': {}", ref, said),
                no_repository ? "name the versions instead: --since, --last or --only"
                              : "fetch it first, for example: git fetch origin main (a shallow clone has one "
                                "commit only)");
}

}  // namespace

Result<std::set<std::string>> files_in_ref(const std::string& directory, const std::string& ref) {
  const Result<std::string> tree = tree_of(directory, ref);
  if (!tree) return failed(tree);
  // Below the top of the repository, ls-tree lists the folder it stands in, by paths relative to it; so the
  // tree must be that of the whole ref.
  const auto answer = run_git(directory, {"ls-tree", "-r", "-z", "--name-only", *tree});
  if (!answer) return failed(answer);
  if (answer->status != 0) {
    return failed(FailureKind::usage, fmt::format("git ref '{}': {}", ref, first_line(answer->err)));
  }
  std::set<std::string> files;
  for (std::string& file : split(answer->out, '\0')) {
    if (!file.empty()) files.insert(std::move(file));
  }
  return files;
}

}  // namespace lockkeeper::history
