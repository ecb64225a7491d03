#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "engine/sqlite/database.h"
#include "engine/sqlite/lock_watch.h"
#include "engine/sqlite/schema.h"

namespace lockkeeper::engine::sqlite {

/// Runs sides on a file, each in a session of its own, as a tool would.
class SideRunner {
 public:
  SideRunner(std::filesystem::path file, Pragmas pragmas)
      : m_file(std::move(file)), m_pragmas(std::move(pragmas)), m_watch(m_file) {}

  /// A Failure where the file cannot be worked on or a signal came in; everything that SQLite says is part of
  /// the outcome. `lineage` learns what is made anew.
  Result<SideOutcome> run(const SideRequest& request, Lineage& lineage);
  LockWatch& watch() { return m_watch; }
  /// PRAGMAs that the session of the last side had otherwise at its end.
  const std::vector<record::SettingChange>& leaked_settings() const { return m_leaked; }

 private:
  Result<SideOutcome> run_without_transaction(const SideRequest& request, Lineage& lineage,
                                              const sql::Statement& refused);

  std::filesystem::path m_file;
  Pragmas m_pragmas;
  std::vector<record::SettingChange> m_leaked;
  LockWatch m_watch;
};

/// Somebody else's connection that writes to the file, until it is gone.
Result<Database> locked(const std::filesystem::path& file);

/// The values of those PRAGMAs that change how a session behaves.
Result<Pragmas> session_pragmas(Database& database);

}  // namespace lockkeeper::engine::sqlite
