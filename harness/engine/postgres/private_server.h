#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/process.h"
#include "engine/engine.h"
#include "engine/postgres/postgres.h"

namespace lockkeeper::engine::postgres {

class Client;

/// initdb into `data` (which must not exist, in a directory that the account may write): UTF8, C.UTF-8 where
/// the system has it, else C; superuser postgres, trust (the socket's directory is the guard).
Result<void> initialise_cluster(const Binaries& binaries, const Account& account,
                                const std::filesystem::path& data);

/// What the servers of this purpose and version run with, given on the command line so that neither the image
/// nor a migration's ALTER SYSTEM changes it.
std::map<std::string, std::string> server_settings(Purpose purpose, int major);

/// Where a server's things lie. All of them exist but the log.
struct Place {
  std::filesystem::path data;
  std::filesystem::path
      sockets;  ///< 0700, the account's; its path leaves room for ".s.PGSQL.5432" in 107 bytes
  std::filesystem::path log;
};

/// How a server is stopped: clean leaves a data directory that starts without recovery; at_once is for
/// throwing away.
enum class Stop { clean, at_once };

/// A server process on a private socket. It ends with the thread that started it (base/process.h), so that
/// thread has to outlive the object; the destructor stops it at once.
class PrivateServer {
 public:
  /// Starts and waits (60 s at most) until a query is answered in `database`, which is made if it is not
  /// there. Failures carry the last lines of the log.
  static Result<std::unique_ptr<PrivateServer>> start(const Binaries& binaries, const Account& account,
                                                      const Place& place, Purpose purpose,
                                                      const std::string& database = "postgres",
                                                      Daemon::Life life = Daemon::Life::bound_to_ours);

  ~PrivateServer();
  PrivateServer(const PrivateServer&) = delete;
  PrivateServer& operator=(const PrivateServer&) = delete;

  /// The session in which the server first answered: a backend costs as much as a small migration. Null where
  /// it was taken already, or the database had to be made.
  std::unique_ptr<Client> take_session();
  /// A libpq connection string to a database of this server, as superuser.
  std::string connection(const std::string& database) const;
  /// Makes the database (from template0) if it is not there.
  Result<void> ensure_database(const std::string& database) const;
  Result<void> stop(Stop how);
  /// SIGKILL to the server process, as the kernel does it to whoever takes too much memory. What is left of
  /// it notices and ends; start() in the same place recovers.
  void kill();
  /// Has the server process gone by itself?
  bool ended() { return m_daemon.ended(); }
  pid_t pid() const { return m_daemon.pid(); }
  const Place& place() const { return m_place; }
  /// The last lines of the log, for messages.
  std::string log_tail() const;

 private:
  PrivateServer(Daemon daemon, Place place);
  Result<void> wait_until_ready(const std::string& database);

  Daemon m_daemon;
  Place m_place;
  std::unique_ptr<Client> m_session;
};

}  // namespace lockkeeper::engine::postgres
