#include "history/git.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>
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

/// The environment without what a git hook sets for its own repository; `index` names an index file to use.
std::vector<std::string> environment(const std::string& index) {
  std::vector<std::string> kept;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view variable = *entry;
    if (!variable.starts_with("GIT_") && !variable.starts_with("LC_ALL=")) kept.emplace_back(variable);
  }
  kept.emplace_back("LC_ALL=C");
  kept.emplace_back("GIT_OPTIONAL_LOCKS=0");
  if (!index.empty()) kept.push_back("GIT_INDEX_FILE=" + index);
  return kept;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

Result<pid_t> start(std::vector<std::string> arguments, const std::string& index, const Pipe& out,
                    const Pipe& err) {
  std::vector<std::string> variables = environment(index);
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

Result<Answer> run_git(const std::string& directory, const std::vector<std::string>& arguments,
                       const std::string& index = {}) {
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
  const Result<pid_t> child = start(std::move(whole), index, out, err);
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

namespace {

/// What git says, a line; a usage failure where it refuses.
Result<std::string> ask_git(const std::string& directory, const std::vector<std::string>& arguments,
                            const std::string& what, const std::string& index = {}) {
  const auto answer = run_git(directory, arguments, index);
  if (!answer) return failed(answer);
  if (answer->status == 0) return first_line(answer->out);
  return failed(FailureKind::usage, fmt::format("{}: {}", what, first_line(answer->err)));
}

}  // namespace

Checkout::Checkout(std::filesystem::path path) : m_path(std::move(path)) {}

Checkout::Checkout(Checkout&& other) noexcept
    : m_path(std::exchange(other.m_path, {})), m_prefix(std::move(other.m_prefix)) {}

Checkout::~Checkout() {
  std::error_code ignored;
  if (!m_path.empty()) std::filesystem::remove_all(m_path, ignored);
}

std::string Checkout::folder() const {
  return (m_path / "tree" / m_prefix).string();
}

namespace {

/// Names that git lists with -z; none where the ref does not have the folder.
Result<std::vector<std::string>> listed(const std::string& directory,
                                        const std::vector<std::string>& arguments) {
  const auto answer = run_git(directory, arguments);
  if (!answer) return failed(answer);
  std::vector<std::string> names;
  if (answer->status != 0) return names;
  for (std::string& name : split(answer->out, '\0')) {
    if (!name.empty()) names.push_back(std::move(name));
  }
  return names;
}

/// The files below `prefix` ("db/migrations/", or empty), and those right in the folders above it: they tell
/// of the tool (go.mod, alembic.ini, flyway.conf).
Result<std::vector<std::string>> paths_of(const std::string& top, const std::string& tree,
                                          const std::string& prefix) {
  auto paths = listed(top, {"ls-tree", "-r", "-z", "--name-only", tree, "--", prefix.empty() ? "." : prefix});
  if (!paths || prefix.empty()) return paths;
  for (std::size_t end = 0; end < prefix.size(); end = prefix.find('/', end) + 1) {
    const std::string above = prefix.substr(0, end);
    const auto entries = listed(top, {"ls-tree", "-z", tree, "--", above.empty() ? "." : above});
    if (!entries) return failed(entries);
    for (const std::string& entry : *entries) {
      // "100644 blob <id>\t<path>"
      const std::size_t tab = entry.find('\t');
      if (entry.starts_with("100") && tab != std::string::npos) paths->push_back(entry.substr(tab + 1));
    }
  }
  return paths;
}

}  // namespace

Result<Checkout> Checkout::of(const std::string& directory, const std::string& ref) {
  constexpr std::size_t k_at_once = 500;
  const std::string what = fmt::format("git ref '{}'", ref);
  const Result<std::string> tree = tree_of(directory, ref);
  if (!tree) return failed(tree);
  const auto prefix = ask_git(directory, {"rev-parse", "--show-prefix"}, what);
  if (!prefix) return failed(prefix);
  const auto top = ask_git(directory, {"rev-parse", "--show-toplevel"}, what);
  if (!top) return failed(top);
  const auto repository = ask_git(directory, {"rev-parse", "--absolute-git-dir"}, what);
  if (!repository) return failed(repository);
  std::string pattern = (std::filesystem::temp_directory_path() / "lockkeeper-base-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    return failed(FailureKind::environment,
                  fmt::format("cannot make a folder '{}': {}", pattern, std::strerror(errno)));
  }
  Checkout checkout{std::filesystem::path(pattern)};
  checkout.m_prefix = *prefix;
  std::filesystem::create_directories(checkout.folder());
  // No search for evidence goes above it.
  const std::string whole = (checkout.m_path / "tree").string();
  std::filesystem::create_directory(checkout.m_path / "tree" / ".git");
  const auto paths = paths_of(*top, *tree, *prefix);
  if (!paths) return failed(paths);
  // An index of our own: that of the user's repository stays as it is.
  const std::string index = (checkout.m_path / "index").string();
  const std::vector<std::string> here = {"--git-dir", *repository, "--work-tree", whole};
  const auto at_it = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), here.begin(), here.end());
    return ask_git(whole, arguments, what, index);
  };
  if (const auto read = at_it({"read-tree", *tree}); !read) return failed(read);
  for (std::size_t from = 0; from < paths->size(); from += k_at_once) {
    std::vector<std::string> arguments = {"checkout-index", "--force", "--"};
    const std::size_t to = std::min(from + k_at_once, paths->size());
    arguments.insert(arguments.end(), paths->begin() + static_cast<std::ptrdiff_t>(from),
                     paths->begin() + static_cast<std::ptrdiff_t>(to));
    if (const auto written = at_it(std::move(arguments)); !written) return failed(written);
  }
  return checkout;
}

}  // namespace lockkeeper::history
