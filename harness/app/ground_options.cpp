#include "app/ground_options.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/sqlite/sqlite.h"

namespace lockkeeper::app {

namespace po = boost::program_options;
using engine::postgres::Binaries;

namespace {

constexpr std::string_view k_default_limit = "10GB";

}  // namespace

void add_server_options(po::options_description& options) {
  options.add_options()("pg-bin", po::value<std::string>()->value_name("DIR"),
                        "directory of the server binaries (postgres, initdb)")(
      "pg-version", po::value<int>()->value_name("MAJOR"), "server version, of those that are found")(
      "server", po::value<std::string>()->value_name("URL"),
      "an existing server: databases of our own are made there, used and dropped");
}

Result<ServerOptions> server_options(const Parsed& parsed) {
  ServerOptions options;
  if (parsed.has("pg-bin")) options.pg_bin = parsed.text("pg-bin");
  if (parsed.has("pg-version")) options.pg_version = parsed.values["pg-version"].as<int>();
  options.server_url = parsed.text("server");
  if (!options.server_url.empty() && (options.pg_bin || options.pg_version)) {
    return failed(FailureKind::usage, "--server takes neither --pg-bin nor --pg-version",
                  "an existing server has a version already");
  }
  return options;
}

void add_store_options(po::options_description& options) {
  options.add_options()(
      "store", po::value<std::string>()->value_name("DIR"),
      "where snapshots are kept (default: $LOCKKEEPER_STORE, else the user's cache directory)")(
      "cache-limit", po::value<std::string>()->value_name("SIZE"),
      "most that the store may hold; the longest unused go first (default 10GB)");
}

Result<snapshot::Store> open_store(const Parsed& parsed) {
  const std::filesystem::path directory = parsed.has("store") ? std::filesystem::path(parsed.text("store"))
                                                              : snapshot::Store::default_directory();
  const auto limit =
      parse_bytes(parsed.has("cache-limit") ? parsed.text("cache-limit") : std::string(k_default_limit));
  if (!limit) return failed(limit);
  return snapshot::Store::open(std::filesystem::absolute(directory), *limit);
}

Result<Binaries> choose_binaries(const ServerOptions& options, std::optional<int> major,
                                 const std::filesystem::path& known_versions) {
  const auto wanted = options.pg_version ? options.pg_version : major;
  const auto found = engine::postgres::find_binaries(options.pg_bin, known_versions);
  for (const Binaries& binaries : found) {
    if (!wanted || binaries.major == *wanted) return binaries;
  }
  if (options.pg_bin) {
    return failed(
        FailureKind::environment,
        fmt::format("no server binaries{} in '{}'", wanted ? fmt::format(" of version {}", *wanted) : "",
                    options.pg_bin->string()),
        "--pg-bin names the directory that holds postgres and initdb; lockkeeper doctor shows what is found");
  }
  std::vector<std::string> versions;
  for (const Binaries& binaries : found) versions.push_back(binaries.version);
  return failed(FailureKind::environment,
                wanted ? fmt::format("no server binaries of PostgreSQL {}; found: {}", *wanted,
                                     versions.empty() ? "none" : join(versions, ", "))
                       : "no PostgreSQL server binaries found",
                wanted ? fmt::format("install postgresql-{}, or name a directory with --pg-bin", *wanted)
                       : "install the package postgresql, or name a directory with --pg-bin");
}

Result<std::unique_ptr<engine::Engine>> make_file_engine(const ServerOptions& options,
                                                         const scenario::Scenario& scenario,
                                                         const history::History& history,
                                                         const RunPlaces& places) {
  // Which PostgreSQL is used is nothing to them; that a server is wanted is a mistake.
  if (!options.server_url.empty()) {
    return failed(FailureKind::usage,
                  fmt::format("the migrations of '{}' are for SQLite, which has no server", scenario.name),
                  "leave --server out, or say --engine postgres");
  }
  engine::sqlite::FileOptions files;
  files.run_directory = places.run_directory;
  for (const auto& setting : history.session_settings) {
    const auto says =
        std::ranges::find(scenario.pragmas, setting.first, &std::pair<std::string, std::string>::first);
    if (says == scenario.pragmas.end()) files.pragmas.emplace_back(setting);
  }
  files.pragmas.insert(files.pragmas.end(), scenario.pragmas.begin(), scenario.pragmas.end());
  return engine::sqlite::files(std::move(files));
}

Result<std::unique_ptr<engine::Engine>> make_engine(const ServerOptions& options, std::optional<int> major,
                                                    const RunPlaces& places) {
  if (!options.server_url.empty())
    return engine::postgres::existing_server(options.server_url, places.run_directory);
  auto binaries = choose_binaries(options, major, places.versions);
  if (!binaries) return failed(binaries);
  auto account = engine::postgres::server_account();
  if (!account) return failed(account);
  return engine::postgres::private_servers(
      {std::move(*binaries), std::move(*account), places.run_directory, places.memory_directory});
}

}  // namespace lockkeeper::app
