#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/postgres/wire.h"
#include "record/record.h"

namespace lockkeeper::engine::postgres {

/// What the first words of a statement tell of looking at what it did.
enum class Sort {
  control,            ///< BEGIN, SET, SAVEPOINT, SHOW: changes nothing, and SET TRANSACTION may still follow
  without_snapshot,   ///< LOCK, FETCH: worth a look, but SET TRANSACTION may still follow
  rollback_to,        ///< ROLLBACK TO a savepoint
  reading,            ///< SELECT, EXPLAIN; its functions may change rows nevertheless
  ordinary,           ///< anything may change
  leaves_rows_alone,  ///< index builds and VACUUM outside of transactions
  commit,             ///< COMMIT, END, PREPARE TRANSACTION
  rollback            ///< ROLLBACK, ABORT
};
Sort sort_of(std::string_view statement);

/// A statement that came to its end.
struct Told {
  record::StatementRecord record;
  Sort sort = Sort::ordinary;
};

/// Reads along what a client and a server say to each other, and tells statements by it: a Query, or in the
/// extended protocol what is executed. Texts are kept up to twice the record's limit, so that what must not
/// be seen can be taken out before they are cut.
class Conversation {
 public:
  /// A message of the client, or its first piece, that is handed on to the server.
  void sent(const wire::Piece& piece);
  /// A message of the server, or its first piece.
  void received(const wire::Piece& piece);

  /// All that the client has sent is answered.
  bool at_rest() const { return m_operations.empty(); }
  /// The server works through a Query.
  bool in_query() const { return !m_operations.empty() && m_operations.front().type == 'Q'; }
  /// Does this message begin to commit: a Query, or a Parse or Bind of COMMIT?
  bool begins_commit(const wire::Piece& piece) const;
  /// The server reads rows now: a Sync that it has not answered before is none (protocol-flow.html, COPY
  /// Operations).
  void forget_sync();

  /// At ReadyForQuery: what ended since the last one, in order.
  std::vector<Told> take();
  /// When the session is over: the rest, with what was still running, which then has an error without
  /// SQLSTATE.
  std::vector<Told> take_rest();
  /// The last error that no statement is to blame for (the session was refused or ended).
  const std::optional<record::SqlError>& session_error() const { return m_session_error; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Completion {
    std::string command;
    record::Microseconds duration{0};
    std::vector<record::Notice> notices;
    std::optional<wire::Report> error;
  };
  /// A message of the client that the server has yet to answer.
  struct Operation {
    char type = 0;
    std::string text;
    bool whole = true;
    Clock::time_point sent;
    std::vector<Completion> completions;  ///< of a Query
  };

  void push(char type, std::string text, bool whole = true);
  void pop_if(char type);
  void completed(std::string command);
  void failed(wire::Report report);
  Completion completion(std::string command);
  void tell(const Operation& operation);
  void tell(std::string_view text, Completion completion);
  std::string text_of_portal(const std::string& portal) const;

  std::map<std::string, std::string> m_statements;  ///< prepared: name to text
  std::map<std::string, std::string> m_portals;
  std::deque<Operation> m_operations;
  std::vector<record::Notice> m_notices;
  Clock::time_point m_last_end;
  std::vector<Told> m_told;
  std::optional<record::SqlError> m_session_error;
};

}  // namespace lockkeeper::engine::postgres
