#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace lockkeeper::engine::postgres {

/// Server binaries of one version.
struct Binaries {
  std::filesystem::path directory;  ///< holds postgres and initdb
  int major = 0;                    ///< 15
  std::string version;              ///< "15.20"
};

/// Where to look: a directory named by the user, else pg_config, /usr/lib/postgresql/*/bin, PATH; newest
/// first, each version once. Directories without a working postgres and initdb are passed over. `versions`
/// is a file that remembers what servers said of themselves (known_versions.h); empty: all are asked.
std::vector<Binaries> find_binaries(const std::optional<std::filesystem::path>& named,
                                    const std::filesystem::path& versions = {});

/// The account that servers run as: our own, or, as root, an unprivileged one (postgres, else the owner of
/// the sudo session, else nobody).
struct Account {
  std::string name;
  unsigned uid = 0;
  unsigned gid = 0;
};
Result<Account> server_account();

struct PrivateOptions {
  Binaries binaries;
  Account account;
  /// This run's own directory (base/run_directory.h), removed by its owner.
  std::filesystem::path run_directory;
  /// Another one on a memory disk, for rehearsals whose image leaves it ample room; empty: none.
  std::filesystem::path memory_directory = {};
};

/// Servers of our own, each on a private socket.
Result<std::unique_ptr<Engine>> private_servers(PrivateOptions options);

/// An existing server: databases named lockkeeper_<run>_<n> are created there, used and dropped.
/// `run_directory` (this run's own) takes what a tool needs to connect.
Result<std::unique_ptr<Engine>> existing_server(const std::string& url,
                                                const std::filesystem::path& run_directory = {});

}  // namespace lockkeeper::engine::postgres
