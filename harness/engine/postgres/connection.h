#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct pg_conn;

namespace lockkeeper::engine::postgres {

/// One libpq session, for what the harness itself needs to do (a rehearsal's sides have their own,
/// side_runner.h).
class Connection {
 public:
  /// `connection` is a libpq connection string or URL. The failure carries the server's words.
  static Result<Connection> open(const std::string& connection);

  using Row = std::vector<std::optional<std::string>>;
  struct Answered {
    std::vector<Row> rows;
    std::string sqlstate;  ///< empty on success
    std::string message;   ///< the server's primary message
    std::string detail;
    std::string context;
    int position = 0;  ///< 1-based character in the statement; 0 where unknown
  };

  /// Runs one message (several statements are one implicit transaction); errors of SQL are part of the
  /// answer, a Failure means that the session is lost or a signal came in.
  Result<Answered> ask(const std::string& sql,
                       const std::vector<std::optional<std::string>>& parameters = {});
  /// ask() for statements that have no reason to fail.
  Result<std::vector<Row>> rows(const std::string& sql,
                                const std::vector<std::optional<std::string>>& parameters = {});

  /// A row's values, a null pointer for NULL; only as long as the call that is given them.
  using Values = std::span<const char* const>;
  /// ask() that hands over rows one by one as they arrive, so that we work while the server does.
  Result<Answered> each_row(const std::string& sql, const std::function<void(Values)>& take);

  /// For teardown: runs to its end though a signal came in, and says whether it succeeded.
  bool run_to_end(const std::string& sql);
  /// The same with its rows; none where it failed.
  std::vector<Row> rows_to_end(const std::string& sql);

  /// COPY … FROM STDIN with the data of `feed` (0: the end).
  Result<Answered> copy_in(const std::string& sql,
                           const std::function<Result<std::size_t>(char* buffer, std::size_t size)>& feed);

  /// COPY … TO STDOUT, row by row (in text format a line with its end); what `take` fails with is returned,
  /// and the copy cancelled.
  Result<Answered> copy_out(const std::string& sql,
                            const std::function<Result<void>(std::string_view row)>& take);

  std::string quoted_name(const std::string& name) const;
  std::string quoted_text(const std::string& text) const;
  int server_version() const;  ///< 150020
  std::string parameter(const char* name) const;
  bool usable() const;
  /// For what libpq knows of the session and we have no word for; it stays ours.
  pg_conn* handle() const { return m_connection.get(); }

 private:
  struct Finish {
    void operator()(pg_conn* connection) const;
  };
  explicit Connection(pg_conn* connection);
  std::unique_ptr<pg_conn, Finish> m_connection;
};

/// The connection string with another value for a keyword (host, port, dbname, user, application_name …).
Result<std::string> with_parameter(const std::string& connection, const std::string& keyword,
                                   const std::string& value);

/// The connection string without a keyword, as for what is shown: "password".
std::string without_parameter(const std::string& connection, const std::string& keyword);

/// A keyword's value in the string; empty where it has none.
std::string parameter_of(const std::string& connection, const std::string& keyword);

/// The string as environment variables (PGHOST, PGPASSWORD …) for psql and pg_restore: a command line shows
/// passwords.
Result<std::map<std::string, std::string>> as_environment(const std::string& connection);

/// keyword='value' with the value quoted as libpq wants it.
std::string conninfo(const std::vector<std::pair<std::string, std::string>>& parameters);

/// Takes PGOPTIONS, PGTZ, PGDATESTYLE, PGGEQO, PGCLIENTENCODING, PGAPPNAME, PGSERVICE and PGDATABASE out of
/// our environment, since libpq would apply them to every session of a rehearsal. Call once, before the first
/// thread.
void forget_session_environment();

}  // namespace lockkeeper::engine::postgres
