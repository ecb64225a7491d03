#include "engine/postgres/connection.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include "base/interrupt.h"
#include "base/text.h"

namespace lockkeeper::engine::postgres {

namespace {

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using OwnedResult = std::unique_ptr<PGresult, ClearResult>;

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, FreeOptions>;

Result<Options> parsed(const std::string& connection) {
  char* error = nullptr;
  Options options(PQconninfoParse(connection.c_str(), &error));
  if (options) return options;
  const std::string cause = error != nullptr ? trimmed(error) : "out of memory";
  PQfreemem(error);
  return failed(FailureKind::usage, fmt::format("cannot read the connection string: {}", cause),
                "write it like postgresql://user@host:5432/postgres");
}

/// What the string says but for one keyword.
std::vector<std::pair<std::string, std::string>> others(const PQconninfoOption* option,
                                                        const std::string& keyword) {
  std::vector<std::pair<std::string, std::string>> parameters;
  for (; option->keyword != nullptr; ++option) {
    if (option->val != nullptr && keyword != option->keyword)
      parameters.emplace_back(option->keyword, option->val);
  }
  return parameters;
}

std::string text_or_empty(const char* text) {
  return text != nullptr ? text : "";
}

void take_error(const PGresult* result, Connection::Answered& answered) {
  answered.sqlstate = text_or_empty(PQresultErrorField(result, PG_DIAG_SQLSTATE));
  answered.message = text_or_empty(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
  answered.detail = text_or_empty(PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL));
  answered.context = text_or_empty(PQresultErrorField(result, PG_DIAG_CONTEXT));
  answered.position =
      std::atoi(text_or_empty(PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION)).c_str());
  // libpq's own errors (a lost connection) carry no fields.
  if (answered.sqlstate.empty()) answered.sqlstate = "08000";
  if (answered.message.empty()) answered.message = trimmed(text_or_empty(PQresultErrorMessage(result)));
}

void take_rows(const PGresult* result, Connection::Answered& answered) {
  answered.rows.clear();
  for (int row = 0; row < PQntuples(result); ++row) {
    Connection::Row& values = answered.rows.emplace_back();
    for (int column = 0; column < PQnfields(result); ++column) {
      if (PQgetisnull(result, row, column) != 0) {
        values.emplace_back();
      } else {
        values.emplace_back(std::string(PQgetvalue(result, row, column),
                                        static_cast<std::size_t>(PQgetlength(result, row, column))));
      }
    }
  }
}

/// The values of every row in turn; `values` is only there to be used again.
void hand_over_rows(const PGresult* result, std::vector<const char*>& values,
                    const std::function<void(Connection::Values)>& take) {
  const int columns = PQnfields(result);
  values.resize(static_cast<std::size_t>(columns));
  for (int row = 0; row < PQntuples(result); ++row) {
    for (int column = 0; column < columns; ++column) {
      values[static_cast<std::size_t>(column)] =
          PQgetisnull(result, row, column) != 0 ? nullptr : PQgetvalue(result, row, column);
    }
    take(values);
  }
}

tl::unexpected<Failure> lost(PGconn* connection) {
  return failed(FailureKind::environment, fmt::format("cannot go on with the server: {}",
                                                      trimmed(text_or_empty(PQerrorMessage(connection)))));
}

void cancel_statement(PGconn* connection) {
  std::array<char, 256> error{};
  PGcancel* cancel = PQgetCancel(connection);
  if (cancel != nullptr) PQcancel(cancel, error.data(), static_cast<int>(error.size()));
  PQfreeCancel(cancel);
}

/// Waits for the socket or a signal; a signal cancels what runs.
Result<void> wait_for_socket(PGconn* connection, short events) {
  std::array<pollfd, 2> polled{{{PQsocket(connection), events, 0}, {interrupt_descriptor(), POLLIN, 0}}};
  while (::poll(polled.data(), polled.size(), -1) < 0) {
    if (errno != EINTR) return failed(FailureKind::environment, "cannot wait for the server");
  }
  if (polled[1].revents == 0) return {};
  cancel_statement(connection);
  return failed_by_interrupt();
}

constexpr std::chrono::seconds k_usual_patience{30};

/// connect_timeout is for PQconnectdb(); a session that is opened step by step has to keep it itself.
std::chrono::seconds connect_deadline(const std::string& connection) {
  const int seconds = std::atoi(parameter_of(connection, "connect_timeout").c_str());
  return seconds > 0 ? std::chrono::seconds(seconds) : k_usual_patience;
}

/// Goes on with a session until it is ready; false where the server refused it, which libpq has the words of.
/// Signals do not stop it: teardown opens sessions too.
Result<bool> finish_opening(PGconn* session, std::chrono::seconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  auto polling = PGRES_POLLING_WRITING;
  while (polling == PGRES_POLLING_READING || polling == PGRES_POLLING_WRITING) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) {
      return failed(FailureKind::environment,
                    fmt::format("cannot connect to the server: no answer within {} s", patience.count()));
    }
    const short events = polling == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    pollfd polled{PQsocket(session), events, 0};
    if (::poll(&polled, 1, static_cast<int>(left)) > 0) polling = PQconnectPoll(session);
  }
  return polling == PGRES_POLLING_OK;
}

Result<OwnedResult> next_result(PGconn* connection) {
  while (PQisBusy(connection) != 0) {
    if (const auto waited = wait_for_socket(connection, POLLIN); !waited) return failed(waited);
    if (PQconsumeInput(connection) == 0) break;
  }
  return OwnedResult(PQgetResult(connection));
}

/// `take` (may be empty) is given the rows instead of the answer.
Result<Connection::Answered> collect(PGconn* connection,
                                     const std::function<void(Connection::Values)>& take = {}) {
  Connection::Answered answered;
  std::vector<const char*> values;
  while (true) {
    auto result = next_result(connection);
    if (!result) return failed(result);
    if (!*result) break;
    const ExecStatusType status = PQresultStatus(result->get());
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) break;
    if (status == PGRES_FATAL_ERROR) {
      take_error(result->get(), answered);
      if (PQstatus(connection) == CONNECTION_BAD) return lost(connection);
    }
    if (status != PGRES_TUPLES_OK && status != PGRES_SINGLE_TUPLE) continue;
    if (take) {
      hand_over_rows(result->get(), values, take);
    } else {
      take_rows(result->get(), answered);
    }
  }
  return answered;
}

}  // namespace

void Connection::Finish::operator()(pg_conn* connection) const {
  PQfinish(connection);
}

Connection::Connection(pg_conn* connection) : m_connection(connection) {}

Result<Connection> Connection::open(const std::string& connection) {
  // Step by step, since libpq prints what it is told while it connects (a login trigger's notice, the
  // server's warning that it is going down) unless a receiver is set before.
  Connection opened(PQconnectStart(connection.c_str()));
  PGconn* session = opened.m_connection.get();
  Result<bool> ready = false;
  if (session != nullptr && PQstatus(session) != CONNECTION_BAD) {
    PQsetNoticeReceiver(
        session, [](void*, const PGresult*) {}, nullptr);
    ready = finish_opening(session, connect_deadline(connection));
  }
  if (!ready) return failed(ready);
  if (!*ready) {
    return failed(FailureKind::environment,
                  fmt::format("cannot connect to the server: {}",
                              session != nullptr ? trimmed(PQerrorMessage(session)) : "out of memory"));
  }
  return opened;
}

Result<Connection::Answered> Connection::ask(const std::string& sql,
                                             const std::vector<std::optional<std::string>>& parameters) {
  PGconn* session = m_connection.get();
  std::vector<const char*> values;
  for (const auto& parameter : parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
  const int sent = parameters.empty()
                       ? PQsendQuery(session, sql.c_str())
                       : PQsendQueryParams(session, sql.c_str(), static_cast<int>(values.size()), nullptr,
                                           values.data(), nullptr, nullptr, 0);
  if (sent == 0) return lost(session);
  return collect(session);
}

Result<Connection::Answered> Connection::each_row(const std::string& sql,
                                                  const std::function<void(Values)>& take) {
  PGconn* session = m_connection.get();
  if (PQsendQuery(session, sql.c_str()) == 0) return lost(session);
  PQsetSingleRowMode(session);
  return collect(session, take);
}

Result<std::vector<Connection::Row>> Connection::rows(
    const std::string& sql, const std::vector<std::optional<std::string>>& parameters) {
  auto answered = ask(sql, parameters);
  if (!answered) return failed(answered);
  if (!answered->sqlstate.empty()) {
    return failed(FailureKind::environment, fmt::format("cannot run '{}': {} ({})", abridged(sql),
                                                        answered->message, answered->sqlstate));
  }
  return std::move(answered->rows);
}

Result<Connection::Answered> Connection::copy_in(
    const std::string& sql, const std::function<Result<std::size_t>(char* buffer, std::size_t size)>& feed) {
  PGconn* session = m_connection.get();
  auto begun = ask(sql);
  if (!begun || !begun->sqlstate.empty()) return begun;
  std::vector<char> buffer(65536);
  while (true) {
    auto got =
        interrupted() ? Result<std::size_t>(failed_by_interrupt()) : feed(buffer.data(), buffer.size());
    if (!got) {
      PQputCopyEnd(session, "the input cannot be read");
      return failed(got);
    }
    if (*got == 0) break;
    if (PQputCopyData(session, buffer.data(), static_cast<int>(*got)) != 1) return lost(session);
  }
  if (PQputCopyEnd(session, nullptr) != 1) return lost(session);
  return collect(session);
}

Result<Connection::Answered> Connection::copy_out(
    const std::string& sql, const std::function<Result<void>(std::string_view row)>& take) {
  PGconn* session = m_connection.get();
  auto begun = ask(sql);
  if (!begun || !begun->sqlstate.empty()) return begun;
  while (true) {
    char* row = nullptr;
    const int size = PQgetCopyData(session, &row, 1);
    if (size > 0) {
      const auto taken = take({row, static_cast<std::size_t>(size)});
      PQfreemem(row);
      if (taken) continue;
      cancel_statement(session);
      return failed(taken);
    }
    if (size < 0) break;  // the end, or an error that collect() finds
    if (const auto waited = wait_for_socket(session, POLLIN); !waited) return failed(waited);
    if (PQconsumeInput(session) == 0) return lost(session);
  }
  return collect(session);
}

bool Connection::run_to_end(const std::string& sql) {
  const OwnedResult answer(PQexec(m_connection.get(), sql.c_str()));
  const ExecStatusType status = PQresultStatus(answer.get());
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

std::vector<Connection::Row> Connection::rows_to_end(const std::string& sql) {
  const OwnedResult answer(PQexec(m_connection.get(), sql.c_str()));
  Answered answered;
  if (PQresultStatus(answer.get()) == PGRES_TUPLES_OK) take_rows(answer.get(), answered);
  return std::move(answered.rows);
}

std::string Connection::quoted_name(const std::string& name) const {
  char* quoted = PQescapeIdentifier(m_connection.get(), name.data(), name.size());
  std::string text = text_or_empty(quoted);
  PQfreemem(quoted);
  return text;
}

std::string Connection::quoted_text(const std::string& given) const {
  char* quoted = PQescapeLiteral(m_connection.get(), given.data(), given.size());
  std::string text = text_or_empty(quoted);
  PQfreemem(quoted);
  return text;
}

int Connection::server_version() const {
  return PQserverVersion(m_connection.get());
}

std::string Connection::parameter(const char* name) const {
  return text_or_empty(PQparameterStatus(m_connection.get(), name));
}

bool Connection::usable() const {
  return PQstatus(m_connection.get()) == CONNECTION_OK;
}

std::string conninfo(const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::string text;
  for (const auto& [keyword, value] : parameters) {
    if (!text.empty()) text += ' ';
    text += keyword + "='";
    for (const char character : value) {
      if (character == '\'' || character == '\\') text += '\\';
      text += character;
    }
    text += '\'';
  }
  return text;
}

Result<std::string> with_parameter(const std::string& connection, const std::string& keyword,
                                   const std::string& value) {
  const auto options = parsed(connection);
  if (!options) return failed(options);
  auto parameters = others(options->get(), keyword);
  parameters.emplace_back(keyword, value);
  return conninfo(parameters);
}

std::string without_parameter(const std::string& connection, const std::string& keyword) {
  const auto options = parsed(connection);
  return options ? conninfo(others(options->get(), keyword)) : std::string();
}

std::string parameter_of(const std::string& connection, const std::string& keyword) {
  const auto options = parsed(connection);
  if (!options) return {};
  for (const PQconninfoOption* option = options->get(); option->keyword != nullptr; ++option) {
    if (keyword == option->keyword) return text_or_empty(option->val);
  }
  return {};
}

Result<std::map<std::string, std::string>> as_environment(const std::string& connection) {
  const auto options = parsed(connection);
  if (!options) return failed(options);
  std::map<std::string, std::string> environment;
  for (const PQconninfoOption* option = options->get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr && option->envvar != nullptr) environment[option->envvar] = option->val;
  }
  return environment;
}

void forget_session_environment() {
  for (const char* name : {"PGOPTIONS", "PGTZ", "PGDATESTYLE", "PGGEQO", "PGCLIENTENCODING", "PGAPPNAME",
                           "PGSERVICE", "PGDATABASE"}) {
    ::unsetenv(name);
  }
}

}  // namespace lockkeeper::engine::postgres
