#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace lockkeeper::engine::postgres {

class Client;

struct Reply;

/// Runs sides, each in a session of its own, as a tool would: a new one, or one that DISCARD ALL has made as
/// good as new. A new backend takes longer than a small migration.
class SideRunner {
 public:
  /// `connection` is a libpq connection string to the database of the instance.
  explicit SideRunner(std::string connection);
  ~SideRunner();
  SideRunner(const SideRunner&) = delete;
  SideRunner& operator=(const SideRunner&) = delete;

  /// A Failure where no session can be had or a signal came in; everything the server says is part of the
  /// outcome.
  Result<SideOutcome> run(const SideRequest& request);
  /// What the last observed side left changed in its session; asked for when the side ended, awaited here.
  Result<std::vector<record::SettingChange>> leaked_settings();
  /// Opens the sessions of the next run without waiting for them; one may be there already.
  void open_ahead(std::unique_ptr<Client> first = nullptr);
  /// Where the server's log lies, which tells of temporary files.
  void watch_log(const std::filesystem::path& log) { m_log = log; }
  /// Closes the spare sessions, so that the server can be stopped or its database copied.
  void close();

 private:
  struct Beginning {
    std::uint64_t wal = 0;             ///< where the server's log stands
    bool sessions_may_return = false;  ///< nothing in the database leaves more than DISCARD ALL undoes
  };
  Result<Beginning> look_ahead();
  Result<SideOutcome> run_without_transaction(const SideRequest& request, const std::string& reason);
  Result<Reply> take_back();

  std::string m_connection;
  std::filesystem::path m_log;         ///< empty: nobody knows
  std::unique_ptr<Client> m_spare;     ///< for the next side
  std::unique_ptr<Client> m_leaving;   ///< of the last side, asked for what it leaves changed
  std::unique_ptr<Client> m_observer;  ///< sees only what is committed
  bool m_may_return = false;           ///< the leaving session may serve the next side
  bool m_prepared = false;             ///< the observer's query
  std::string m_session_beginning;     ///< settings of database and roles when the spare was opened
};

}  // namespace lockkeeper::engine::postgres
