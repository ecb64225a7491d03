#include "engine/postgres/client.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include "base/interrupt.h"
#include "base/text.h"

namespace lockkeeper::engine::postgres {

namespace {

using Clock = std::chrono::steady_clock;
using Deadline = std::optional<Clock::time_point>;

constexpr std::chrono::seconds k_connect_deadline{30};
constexpr std::chrono::seconds k_cancel_deadline{5};

enum class Wake { ready, deadline, interrupt };

struct ResultDeleter {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPointer = std::unique_ptr<PGresult, ResultDeleter>;

/// Waits for the socket, a signal or the deadline, whichever comes first.
Wake wait_for(int socket, short events, const Deadline& deadline) {
  while (true) {
    if (interrupted()) return Wake::interrupt;
    int timeout = -1;
    if (deadline) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
      if (left <= 0) return Wake::deadline;
      timeout = static_cast<int>(std::min<long long>(left, 1'000'000));
    }
    // A descriptor of -1 (signals not watched, as in unit tests) is ignored by poll(2).
    pollfd descriptors[2] = {{socket, events, 0}, {interrupt_descriptor(), POLLIN, 0}};
    ::poll(descriptors, 2, timeout);
    if (interrupted()) return Wake::interrupt;
    if (descriptors[0].revents != 0) return Wake::ready;
  }
}

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? "" : text;
}

record::SqlError error_of(const PGresult* result) {
  record::SqlError error{field(result, PG_DIAG_SQLSTATE), field(result, PG_DIAG_MESSAGE_PRIMARY),
                         field(result, PG_DIAG_MESSAGE_DETAIL), field(result, PG_DIAG_MESSAGE_HINT),
                         field(result, PG_DIAG_CONTEXT)};
  // libpq's own errors (the server closed the connection) have no fields, only a text.
  if (error.message.empty()) error.message = abridged(PQresultErrorMessage(result), 300);
  return error;
}

void receive_notice(void* argument, const PGresult* result) {
  auto* notices = static_cast<std::vector<record::Notice>*>(argument);
  // Some files raise one notice a row: the first thousand of a statement tell enough.
  if (notices->size() >= 1000) return;
  notices->push_back({field(result, PG_DIAG_SEVERITY), field(result, PG_DIAG_SQLSTATE),
                      field(result, PG_DIAG_MESSAGE_PRIMARY), field(result, PG_DIAG_MESSAGE_DETAIL)});
}

void keep_rows(const PGresult* result, std::vector<std::vector<std::string>>& rows) {
  for (int row = 0; row < PQntuples(result); ++row) {
    std::vector<std::string> values;
    for (int column = 0; column < PQnfields(result); ++column) {
      values.emplace_back(PQgetvalue(result, row, column),
                          static_cast<std::size_t>(PQgetlength(result, row, column)));
    }
    rows.push_back(std::move(values));
  }
}

}  // namespace

struct Client::State {
  PGconn* connection = nullptr;
  PostgresPollingStatusType polling = PGRES_POLLING_FAILED;
  bool started = false;
  bool posted = false;                        ///< an answer is due
  std::optional<std::string_view> copy_data;  ///< for the message under way
  std::vector<record::Notice> notices;

  ~State() { close(); }
  void close() {
    PQfinish(connection);
    connection = nullptr;
  }

  Result<bool> next_result_ready(const Deadline& deadline);
  void take(ResultPointer result, Reply& reply, Rows rows);
  void answer_copy();
  Result<void> cancel(Reply& reply, std::chrono::milliseconds timeout);
};

Client::Client(const std::string& connection) : m_state(std::make_unique<State>()) {
  m_state->connection = PQconnectStart(connection.c_str());
  if (m_state->connection == nullptr || PQstatus(m_state->connection) == CONNECTION_BAD) return;
  // From the start: a session may be ended by somebody else before it is used, and libpq would print that.
  PQsetNoticeReceiver(m_state->connection, receive_notice, &m_state->notices);
  // Over a unix socket the first poll already sends the start-up message.
  m_state->polling = PQconnectPoll(m_state->connection);
}

Client::~Client() = default;

Result<void> Client::ready() {
  if (m_state->started) {
    if (!m_state->posted) return {};
    const auto dropped = collect(k_connect_deadline);
    if (!dropped) return failed(dropped);
    return {};
  }
  PGconn* connection = m_state->connection;
  const auto refused = [&] {
    return failed(FailureKind::environment,
                  fmt::format("cannot open a session: {}", abridged(PQerrorMessage(connection), 300)));
  };
  if (connection == nullptr || PQstatus(connection) == CONNECTION_BAD) return refused();
  const Deadline deadline = Clock::now() + k_connect_deadline;
  auto& polling = m_state->polling;
  while (polling != PGRES_POLLING_OK) {
    if (polling == PGRES_POLLING_FAILED) return refused();
    switch (wait_for(PQsocket(connection), polling == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline)) {
      case Wake::interrupt:
        return failed_by_interrupt();
      case Wake::deadline:
        return failed(FailureKind::environment, "cannot open a session: no answer within 30 s");
      case Wake::ready:
        polling = PQconnectPoll(connection);
    }
  }
  m_state->started = true;
  return {};
}

void Client::post(const std::string& sql) {
  if (!ready() || !alive()) return;
  m_state->posted = PQsendQuery(m_state->connection, sql.c_str()) == 1;
}

Result<bool> Client::State::next_result_ready(const Deadline& deadline) {
  while (PQisBusy(connection) != 0) {
    const Wake wake = wait_for(PQsocket(connection), POLLIN, deadline);
    if (wake == Wake::interrupt) return failed_by_interrupt();
    if (wake == Wake::deadline) return false;
    // A failure to read shows as an error result, which the caller takes next.
    if (PQconsumeInput(connection) == 0) return true;
  }
  return true;
}

/// Failures to write show as the error of the next result.
void Client::State::answer_copy() {
  if (!copy_data) {
    PQputCopyEnd(connection, "COPY FROM STDIN needs psql, which sends the rows that follow it in the file");
    return;
  }
  constexpr std::size_t k_piece_bytes = 65536;
  for (std::string_view rest = *copy_data; !rest.empty() && !interrupted();) {
    const std::string_view piece = rest.substr(0, k_piece_bytes);
    if (PQputCopyData(connection, piece.data(), static_cast<int>(piece.size())) != 1) break;
    rest.remove_prefix(piece.size());
  }
  copy_data.reset();
  PQputCopyEnd(connection, interrupted() ? "interrupted" : nullptr);
}

void Client::State::take(ResultPointer result, Reply& reply, Rows rows) {
  switch (PQresultStatus(result.get())) {
    case PGRES_COPY_IN:
      return answer_copy();
    case PGRES_COPY_OUT: {
      char* line = nullptr;
      while (PQgetCopyData(connection, &line, 0) > 0) PQfreemem(line);
      return;
    }
    case PGRES_SINGLE_TUPLE:
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
      if (rows == Rows::keep) keep_rows(result.get(), reply.rows);
      if (*PQcmdStatus(result.get()) != '\0') reply.command = PQcmdStatus(result.get());
      return;
    case PGRES_EMPTY_QUERY:
      return;
    default:
      if (reply.error) return;
      reply.error = error_of(result.get());
      reply.error_position = static_cast<std::size_t>(
          std::strtoull(field(result.get(), PG_DIAG_STATEMENT_POSITION).c_str(), nullptr, 10));
  }
}

Result<void> Client::State::cancel(Reply& reply, std::chrono::milliseconds timeout) {
  if (PGcancel* handle = PQgetCancel(connection); handle != nullptr) {
    char message[256];
    PQcancel(handle, message, sizeof message);
    PQfreeCancel(handle);
  }
  Reply ignored;
  const Deadline deadline = Clock::now() + k_cancel_deadline;
  while (true) {
    const auto arrived = next_result_ready(deadline);
    if (!arrived || !*arrived) {
      close();
      if (!arrived) return failed(arrived);
      break;
    }
    ResultPointer result(PQgetResult(connection));
    if (!result) break;
    take(std::move(result), ignored, Rows::drop);
  }
  reply.error =
      record::SqlError{"", fmt::format("did not end within {} (--timeout)", human(timeout)), "", "", ""};
  return {};
}

Result<Reply> Client::send(const std::string& sql, std::chrono::milliseconds timeout, Rows rows,
                           std::optional<std::string_view> copy_data) {
  if (const auto opened = ready(); !opened) return failed(opened);
  if (!alive() || PQsendQuery(m_state->connection, sql.c_str()) == 0) {
    Reply reply;
    reply.error =
        record::SqlError{"08006",
                         m_state->connection == nullptr ? "the session is closed"
                                                        : abridged(PQerrorMessage(m_state->connection), 300),
                         "", "", ""};
    return reply;
  }
  m_state->posted = true;
  m_state->copy_data = copy_data;
  auto reply = collect(timeout, rows);
  m_state->copy_data.reset();
  return reply;
}

Result<Reply> Client::collect(std::chrono::milliseconds timeout, Rows rows) {
  Reply reply;
  if (!m_state->posted) return reply;
  m_state->posted = false;
  // Row by row, so that a migration's SELECT of a large table does not end up in our memory.
  PQsetSingleRowMode(m_state->connection);
  const Deadline deadline = timeout.count() > 0 ? Deadline(Clock::now() + timeout) : std::nullopt;
  while (true) {
    const auto arrived = m_state->next_result_ready(deadline);
    if (!arrived) {
      Reply ignored;
      (void)m_state->cancel(ignored, timeout);
      m_state->close();
      return failed(arrived);
    }
    if (!*arrived) {
      if (const auto cancelled = m_state->cancel(reply, timeout); !cancelled) return failed(cancelled);
      break;
    }
    ResultPointer result(PQgetResult(m_state->connection));
    if (!result) break;
    m_state->take(std::move(result), reply, rows);
  }
  reply.notices = std::move(m_state->notices);
  m_state->notices.clear();
  return reply;
}

int Client::server_process() const {
  return PQbackendPID(m_state->connection);
}

bool Client::alive() const {
  return m_state->connection != nullptr && PQstatus(m_state->connection) == CONNECTION_OK;
}
bool Client::in_transaction() const {
  return alive() && PQtransactionStatus(m_state->connection) == PQTRANS_INTRANS;
}
bool Client::in_failed_transaction() const {
  return alive() && PQtransactionStatus(m_state->connection) == PQTRANS_INERROR;
}
bool Client::idle() const {
  return alive() && PQtransactionStatus(m_state->connection) == PQTRANS_IDLE;
}

}  // namespace lockkeeper::engine::postgres
