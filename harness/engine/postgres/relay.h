#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "engine/engine.h"
#include "engine/postgres/conversation.h"
#include "engine/postgres/link.h"
#include "engine/postgres/observer.h"
#include "engine/postgres/server_door.h"
#include "engine/postgres/tool_session.h"

namespace lockkeeper::engine::postgres {

/// What was seen on all connections of a tool, in the order in which statements ended.
struct Seen {
  std::vector<record::StatementRecord> statements;
  Touched touched;
  std::optional<record::SqlError> last_error;
  std::size_t last_error_at = 0;                                 ///< how many statements had ended by then
  bool left_transaction_open = false;                            ///< one in which more was done than reading
  std::set<int> backends;                                        ///< process ids
  std::optional<std::chrono::steady_clock::time_point> stopped;  ///< when the sessions were ended
};

/// A session of ours that several threads ask.
class SharedSession final : public Session {
 public:
  explicit SharedSession(const std::string& connection) : m_client(connection) {}
  Result<Reply> send(const std::string& sql, std::chrono::milliseconds timeout, Rows rows) override {
    const std::lock_guard lock(m_mutex);
    return m_client.send(sql, timeout, rows);
  }

 private:
  std::mutex m_mutex;
  Client m_client;
};

/// What all connections of a tool share.
struct ToolWatch {
  explicit ToolWatch(const std::string& connection) : committed(connection) {}

  ServerDoor door;
  std::filesystem::path directory;  ///< ours alone
  std::string password;             ///< which clients have to know
  Observe observe = Observe::yes;
  std::optional<std::size_t> stop_after;  ///< so many statements the sessions are ended …
  std::function<void()> kill_server;      ///< … or the server, where this is set
  SharedSession committed;
  RelationNames before;
  Descriptor closing;  ///< readable: no client is alive that is not served yet
  Descriptor stop;     ///< readable: all is over

  template <typename Change>
  void note(const Change& change) {
    const std::lock_guard lock(mutex);
    change(seen);
  }
  std::mutex mutex;
  Seen seen;
};

/// One connection of a client, passed on to the server and read along. What the client sends after a Query,
/// a Sync or a FunctionCall waits until that is answered, so that there is a moment to look.
class Relay {
 public:
  Relay(Descriptor client, ToolWatch& watch);
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  /// Until one of both ends it, or the watch does.
  void run();

 private:
  struct StartUp {
    std::string packet;
    std::string user;
    std::string database;
    bool replication = false;
  };
  /// A transaction of the session.
  struct Transaction {
    bool has_snapshot = false;    ///< SET TRANSACTION is over: a look does no harm
    bool has_changes = false;     ///< more was done than reading
    bool commit_watched = false;  ///< what is due at COMMIT was seen
  };

  std::optional<StartUp> greet();
  bool authenticate();
  bool log_in(const StartUp& start_up);
  std::optional<bool> take_login_message(const wire::Piece& piece, std::unique_ptr<LoginAnswers>& answers);
  void pass_on_cancel(std::string_view packet);
  void refuse(std::string_view sqlstate, const std::string& message);
  bool read_more(Link& link, const Descriptor& stop);

  void pump();
  void leave();
  bool over();
  bool wait();
  bool take_from_client();
  bool take_from_server();
  void client_says(const wire::Piece& piece);
  void server_says(const wire::Piece& piece);
  void ready(char status);
  void note(std::vector<Told> told);
  void stop_where_due();

  void look(char status, std::vector<Told>& told);
  void look_inside(Told& told);
  void transaction_ended(Told& told);
  void before_commit();

  ToolWatch& m_watch;
  Link m_client;
  Link m_server;
  ToolSession m_tool;
  Observer m_observer;
  Conversation m_conversation;
  Transaction m_transaction;
  bool m_watched = false;
  bool m_held_back = true;    ///< the client has to wait for its answer
  bool m_never_hold = false;  ///< both sides talk at once (replication)
  bool m_copying_in = false;
  bool m_copy_ended = false;  ///< the client said so, perhaps before the server asked for rows
  bool m_closing = false;
  bool m_finished_writing = false;
  char m_status = 'I';
  int m_backend = 0;  ///< the server's process
};

}  // namespace lockkeeper::engine::postgres
