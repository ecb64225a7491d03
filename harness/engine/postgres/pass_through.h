#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/descriptor.h"
#include "base/result.h"
#include "engine/engine.h"
#include "engine/postgres/relay.h"

namespace lockkeeper::engine::postgres {

/// Where a tool finds the pass-through, and what it has to say there.
struct PassThroughAddress {
  std::string host = "127.0.0.1";
  int port = 0;
  std::filesystem::path sockets;  ///< holds .s.PGSQL.<port>
  std::string user;
  std::string password;
  std::string database;

  /// postgresql://user:password@127.0.0.1:port/database
  std::string url() const;
};

/// Stands between a tool and a database and reads along: what the tool sends arrives as it was sent, and what
/// the server answers too. Clients have to know a password of its own, since others on this machine may
/// connect as well.
class PassThrough {
 public:
  /// `directory` is there and ours alone (0700); a socket is made in it. After so many statements the
  /// sessions are ended, or the server, where it can be.
  static Result<std::unique_ptr<PassThrough>> start(const std::string& connection,
                                                    const std::filesystem::path& directory, Observe observe,
                                                    std::optional<std::size_t> stop_after = {},
                                                    std::function<void()> kill_server = {});
  /// Ends all connections at once.
  ~PassThrough();
  PassThrough(const PassThrough&) = delete;
  PassThrough& operator=(const PassThrough&) = delete;

  const PassThroughAddress& address() const { return m_address; }

  /// After the tool's end: what its last clients have sent is served (not longer than `patience`), other
  /// connections are closed, and the end of the server's processes is awaited: what was seen is complete
  /// then, and nothing of the tool goes on. A failure where they do not end.
  Result<Seen> finish(std::chrono::milliseconds patience);

 private:
  struct Connection {
    Connection(Descriptor client, ToolWatch& watch) : relay(std::move(client), watch) {}
    Relay relay;
    bool done = false;
    std::thread thread;
  };

  explicit PassThrough(const std::string& connection) : m_connection(connection), m_watch(connection) {}
  Result<void> listen(const std::filesystem::path& directory);
  void accept_clients();
  void accept_from(const Descriptor& listening);
  void serve(Connection& connection);
  void forget_finished();
  void end(std::chrono::milliseconds patience);
  Result<void> await_backends(const std::set<int>& backends);

  std::string m_connection;
  ToolWatch m_watch;
  PassThroughAddress m_address;
  Descriptor m_tcp;
  Descriptor m_unix;
  std::thread m_accepting;
  std::mutex m_mutex;  ///< of what follows
  std::condition_variable m_one_is_done;
  std::list<Connection> m_connections;
};

}  // namespace lockkeeper::engine::postgres
