#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engine/postgres/postgres.h"

namespace lockkeeper::engine::postgres {

/// A directory that might have held a server and does not: for `lockkeeper doctor`.
struct PassedOver {
  std::filesystem::path directory;
  std::string reason;
};

struct Search {
  std::vector<Binaries> found;  ///< newest first, each version once
  std::vector<PassedOver> passed_over;
};

/// find_binaries() with the reasons.
Search search_binaries(const std::optional<std::filesystem::path>& named,
                       const std::filesystem::path& versions = {});

/// The clients that fixtures are loaded with; empty paths where there are none.
struct Tools {
  std::filesystem::path psql;
  std::filesystem::path pg_restore;
  int pg_restore_major = 0;
  std::filesystem::path pg_dump;
  int pg_dump_major = 0;
};

/// Looks beside the server (`near` may be empty), then wherever servers are looked for; of several the
/// newest, since a pg_restore reads older dumps but not newer ones.
Tools find_tools(const std::filesystem::path& near);

/// find_tools(), called when the first fixture wants them: asking clients for their versions takes as long as
/// a server takes to start. May be shared between threads.
class ToolBox {
 public:
  explicit ToolBox(std::filesystem::path near) : m_near(std::move(near)) {}
  const Tools& tools();

 private:
  std::filesystem::path m_near;
  std::once_flag m_once;
  Tools m_tools;
};

/// "postgres (PostgreSQL) 15.20 (Debian …)" → "15.20"; "18beta1" and "19devel" as they stand; none if it is
/// no such line.
std::optional<std::string> version_in(const std::string& line);

/// Can this account execute the server's programs? The failure says which directory is closed to it.
Result<void> can_execute(const Binaries& binaries, const Account& account);

}  // namespace lockkeeper::engine::postgres
