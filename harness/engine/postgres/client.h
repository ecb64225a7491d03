#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "record/record.h"

namespace lockkeeper::engine::postgres {

/// What one message to the server led to.
struct Reply {
  std::optional<record::SqlError> error;
  std::size_t error_position = 0;  ///< characters from 1 into the text that was sent; 0 where unknown
  std::string command;             ///< the command tag, for example "UPDATE 3"
  std::vector<record::Notice> notices;
  std::vector<std::vector<std::string>> rows;  ///< only where asked for; NULL as ""
};

enum class Rows { drop, keep };

/// What takes SQL and answers: a session of ours, or one that a tool holds.
class Session {
 public:
  virtual ~Session() = default;
  /// One message or, in a session that is not ours, one statement; what Client::send() says holds for all.
  virtual Result<Reply> send(const std::string& sql, std::chrono::milliseconds timeout, Rows rows) = 0;
};

/// A session over libpq, which (unlike libpqxx 6) tells the position of an error, the state of the
/// transaction and the fields of a notice. Every wait has a deadline and watches for signals.
class Client final : public Session {
 public:
  /// Sends the start-up message and returns: the server prepares the session while we do something else.
  explicit Client(const std::string& connection);
  ~Client() override;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Waits until the session is ready.
  Result<void> ready();
  /// Sends a message and returns; collect() has the answer. Whatever is sent next first drops an answer not
  /// collected.
  void post(const std::string& sql);
  /// The reply to what was posted.
  Result<Reply> collect(std::chrono::milliseconds timeout, Rows rows = Rows::drop);
  /// One simple-protocol message. A Failure only where a signal came in; all else is part of the reply. After
  /// `timeout` (0: none) the statement is cancelled, and if that does not help the session closed; the error
  /// has no SQLSTATE then. COPY FROM STDIN is answered with `copy_data`, and refused where there is none;
  /// COPY TO STDOUT is read and dropped.
  Result<Reply> send(const std::string& sql, std::chrono::milliseconds timeout, Rows rows,
                     std::optional<std::string_view> copy_data);
  Result<Reply> send(const std::string& sql, std::chrono::milliseconds timeout,
                     Rows rows = Rows::drop) override {
    return send(sql, timeout, rows, std::nullopt);
  }

  int server_process() const;  ///< of this session, as pg_stat_activity numbers it
  bool alive() const;
  bool in_transaction() const;         ///< open and sound
  bool in_failed_transaction() const;  ///< open and aborted
  bool idle() const;

 private:
  struct State;
  std::unique_ptr<State> m_state;
};

}  // namespace lockkeeper::engine::postgres
