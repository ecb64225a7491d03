#include "engine/postgres/binaries.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <set>

#include <fmt/format.h>
#include <unistd.h>

#include "base/process.h"
#include "base/text.h"
#include "engine/postgres/known_versions.h"

namespace lockkeeper::engine::postgres {

namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds k_version_deadline{10};
constexpr int k_oldest = 13;

bool is_program(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

/// What `program -V` says, as a version.
Result<std::string> ask_version(const fs::path& program) {
  Command command;
  command.argv = {program.string(), "-V"};
  RunOptions options;
  options.deadline = k_version_deadline;
  const auto said = run(command, options);
  if (!said) return failed(said);
  if (!said->ok()) {
    return failed(FailureKind::environment, fmt::format("cannot run '{} -V': {}: {}", program.string(),
                                                        said->status(), abridged(trimmed(said->errors))));
  }
  const auto version = version_in(said->output);
  if (!version) {
    return failed(FailureKind::environment, fmt::format("cannot read the version of '{}': it says '{}'",
                                                        program.string(), abridged(trimmed(said->output))));
  }
  return *version;
}

int major_of(const std::string& version) {
  int major = 0;
  std::from_chars(version.data(), version.data() + version.size(), major);
  return major;
}

int minor_of(const std::string& version) {
  const std::size_t dot = version.find('.');
  return dot == std::string::npos ? 0 : major_of(version.substr(dot + 1));
}

/// Where pg_config says. It is asked only where nothing else is found: on Debian it is a script that starts
/// four processes to name a directory that is looked at anyway.
std::vector<fs::path> configured_directory() {
  const auto pg_config = find_in_path("pg_config");
  if (!pg_config) return {};
  Command command;
  command.argv = {pg_config->string(), "--bindir"};
  RunOptions options;
  options.deadline = k_version_deadline;
  const auto said = run(command, options);
  if (!said || !said->ok()) return {};
  return {trimmed(said->output)};
}

/// In Debian's /usr/lib/postgresql/<major>/bin, its like elsewhere, and in PATH.
std::vector<fs::path> candidate_directories() {
  std::vector<fs::path> directories;
  std::error_code error;
  for (const char* root : {"/usr/lib/postgresql", "/usr/pgsql", "/opt/postgresql"}) {
    for (fs::directory_iterator entry(root, error), end; !error && entry != end; entry.increment(error)) {
      directories.push_back(entry->path() / "bin");
    }
  }
  const char* path = std::getenv("PATH");
  for (const std::string& directory : split(path != nullptr ? path : "", ':')) {
    if (!directory.empty()) directories.emplace_back(directory);
  }
  return directories;
}

/// The named directory, or its bin/.
std::vector<fs::path> named_directories(const fs::path& named) {
  if (!is_program(named / "postgres") && is_program(named / "bin" / "postgres")) return {named / "bin"};
  return {named};
}

fs::path resolved(const fs::path& path) {
  std::error_code error;
  fs::path canonical = fs::canonical(path, error);
  return error ? path : canonical;
}

Result<std::string> version_of(const fs::path& program, KnownVersions& known) {
  const std::string key = KnownVersions::key_of(program);
  if (auto version = known.of(program, key)) return *version;
  auto version = ask_version(program);
  if (version) known.add(program, key, *version);
  return version;
}

void look_at(const fs::path& directory, bool named, KnownVersions& known, Search& search) {
  if (!is_program(directory / "postgres")) {
    if (named) search.passed_over.push_back({directory, "holds no program 'postgres'"});
    return;
  }
  if (!is_program(directory / "initdb")) {
    search.passed_over.push_back({directory, "holds no program 'initdb'"});
    return;
  }
  const auto version = version_of(directory / "postgres", known);
  if (!version) {
    search.passed_over.push_back({directory, version.error().message});
    return;
  }
  if (major_of(*version) < k_oldest) {
    search.passed_over.push_back({directory, fmt::format("version {} is older than {}", *version, k_oldest)});
    return;
  }
  search.found.push_back({directory, major_of(*version), *version});
}

/// Newest first; the first directory that has a version stands for it.
void sort_and_unify(std::vector<Binaries>& found) {
  std::stable_sort(found.begin(), found.end(), [](const Binaries& a, const Binaries& b) {
    return std::pair(a.major, minor_of(a.version)) > std::pair(b.major, minor_of(b.version));
  });
  std::set<std::string> versions;
  std::erase_if(found, [&](const Binaries& binaries) { return !versions.insert(binaries.version).second; });
}

/// Debian's, in /usr/bin: a script that chooses among the programs of the versions' own directories.
bool is_wrapper(const fs::path& program) {
  return resolved(program).filename() == "pg_wrapper";
}

/// Takes the client from the directory where it is newer than the one there is; what one directory holds is
/// of one version, `version`, which the first of its clients is asked for.
void take_newer(const fs::path& directory, const char* name, int& version, fs::path& best, int& best_major) {
  const fs::path candidate = directory / name;
  if (!is_program(candidate) || (!best.empty() && is_wrapper(candidate))) return;
  if (version == 0) {
    const auto answer = ask_version(candidate);
    version = answer ? major_of(*answer) : -1;
  }
  if (version <= best_major) return;
  best_major = version;
  best = candidate;
}

}  // namespace

std::optional<std::string> version_in(const std::string& line) {
  const std::size_t close = line.find("(PostgreSQL) ");
  if (close == std::string::npos) return std::nullopt;
  const std::string rest = line.substr(close + 13);
  const std::size_t end = rest.find_first_of(" \n\r\t");
  std::string version = rest.substr(0, end);
  if (major_of(version) == 0) return std::nullopt;
  return version;
}

Search search_binaries(const std::optional<fs::path>& named, const fs::path& versions) {
  Search search;
  KnownVersions known(versions);
  std::set<fs::path> seen;
  for (const fs::path& directory : named ? named_directories(*named) : candidate_directories()) {
    // Resolved through the program: /usr/bin may hold links to some of another directory's.
    if (seen.insert(resolved(directory / "postgres")).second)
      look_at(directory, named.has_value(), known, search);
  }
  if (!named && search.found.empty()) {
    for (const fs::path& directory : configured_directory()) look_at(directory, false, known, search);
  }
  known.save();
  sort_and_unify(search.found);
  return search;
}

std::vector<Binaries> find_binaries(const std::optional<fs::path>& named, const fs::path& versions) {
  return search_binaries(named, versions).found;
}

Tools find_tools(const fs::path& near) {
  std::vector<fs::path> directories = candidate_directories();
  if (!near.empty()) directories.insert(directories.begin(), near);
  Tools tools;
  int psql_major = 0;
  std::set<fs::path> seen;
  for (const fs::path& directory : directories) {
    // /usr/bin/psql is Debian's wrapper, which asks for a cluster of its own: the real ones come before PATH.
    if (!seen.insert(resolved(directory)).second) continue;
    int version = 0;
    take_newer(directory, "psql", version, tools.psql, psql_major);
    take_newer(directory, "pg_restore", version, tools.pg_restore, tools.pg_restore_major);
    take_newer(directory, "pg_dump", version, tools.pg_dump, tools.pg_dump_major);
  }
  return tools;
}

const Tools& ToolBox::tools() {
  std::call_once(m_once, [this] { m_tools = find_tools(m_near); });
  return m_tools;
}

Result<void> can_execute(const Binaries& binaries, const Account& account) {
  Command command;
  command.argv = {(binaries.directory / "postgres").string(), "-V"};
  command.directory = "/";
  command.run_as = RunAs{account.name, account.uid, account.gid};
  RunOptions options;
  options.deadline = k_version_deadline;
  const auto said = run(command, options);
  if (said && said->ok()) return {};
  if (!said && said.error().kind == FailureKind::interrupted) return failed(said);
  return failed(
      FailureKind::environment,
      fmt::format("cannot run the server '{}' as account '{}': {}", command.argv[0], account.name,
                  said ? said->status() + ": " + abridged(trimmed(said->errors)) : said.error().message),
      "PostgreSQL refuses to run as root: make the directory readable for that account, or run lockkeeper "
      "as an ordinary user");
}

}  // namespace lockkeeper::engine::postgres
