#include "history/git.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "base/process.h"
#include "base/text.h"

namespace lockkeeper::history {

namespace {

constexpr std::chrono::seconds k_time_limit{60};
// The names of all files of a large repository's folder.
constexpr std::size_t k_output_limit = 256UL * 1024 * 1024;

/// What stands in the way of a run is said with what to do instead. `index` names an index file to use.
Result<Finished> run_git(const std::string& directory, const std::vector<std::string>& arguments,
                         const std::string& index = {}) {
  Command command;
  // In a container the checkout often belongs to another account, which git refuses without safe.directory.
  // The commands below read objects only; no hook and no fsmonitor of that repository may run.
  command.argv = {"git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-C", directory};
  command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
  // Without what a git hook sets for its own repository.
  command.unset = {"GIT_*", "LC_ALL"};
  command.environment = {{"LC_ALL", "C"}, {"GIT_OPTIONAL_LOCKS", "0"}};
  if (!index.empty()) command.environment["GIT_INDEX_FILE"] = index;
  RunOptions options;
  options.deadline = k_time_limit;
  options.output_limit = k_output_limit;
  auto finished = run(command, options);
  if (finished || finished.error().kind == FailureKind::interrupted) return finished;
  return failed(finished.error().kind, finished.error().message,
                "install git, or name the versions: --since, --last or --only");
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
  if (answer->exit_code == 0) return first_line(answer->output);
  const std::string said = first_line(answer->errors);
  const bool no_repository = said.find("not a git repository") != std::string::npos;
  return failed(FailureKind::usage, fmt::format("git ref '{}': {}", ref, said),
                no_repository ? "name the versions instead: --since, --last or --only"
                              : "fetch it first, for example: git fetch origin main (a shallow clone has one "
                                "commit only)");
}

/// What git says, a line; a usage failure where it refuses.
Result<std::string> ask_git(const std::string& directory, const std::vector<std::string>& arguments,
                            const std::string& what, const std::string& index = {}) {
  const auto answer = run_git(directory, arguments, index);
  if (!answer) return failed(answer);
  if (answer->exit_code == 0) return first_line(answer->output);
  return failed(FailureKind::usage, fmt::format("{}: {}", what, first_line(answer->errors)));
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
  if (answer->exit_code != 0) return names;
  for (std::string& name : split(answer->output, '\0')) {
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

Result<std::optional<std::string>> text_at(const std::string& file, const std::string& ref) {
  const std::filesystem::path path(file);
  const std::string directory = path.has_parent_path() ? path.parent_path().string() : ".";
  const Result<std::string> tree = tree_of(directory, ref);
  if (!tree) return failed(tree);
  // "<tree>:./<name>" is below the folder that git stands in.
  const auto answer = run_git(directory, {"cat-file", "blob", *tree + ":./" + path.filename().string()});
  if (!answer) return failed(answer);
  if (answer->exit_code != 0) return std::optional<std::string>();
  return std::optional(answer->output);
}

std::optional<std::string> last_tag(const std::string& directory) {
  auto tag = ask_git(directory, {"describe", "--tags", "--abbrev=0", "HEAD"}, "the last tag");
  return tag && !tag->empty() ? std::optional(std::move(*tag)) : std::nullopt;
}

}  // namespace lockkeeper::history
