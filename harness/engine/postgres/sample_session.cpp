#include "engine/postgres/sample_session.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::engine::postgres {

namespace {

constexpr int k_oldest_source = 130000;
constexpr std::chrono::seconds k_lock_timeout{10};

bool says(const std::string& text, std::initializer_list<const char*> signs) {
  return std::ranges::any_of(signs, [&](const char* sign) { return text.find(sign) != std::string::npos; });
}

/// libpq gives no SQLSTATE for a session that was refused, only words.
Failure refused_session(Failure failure) {
  const std::string& words = failure.message;
  if (says(words, {"password authentication failed", "no password supplied", "authentication failed"})) {
    failure.kind = FailureKind::usage;
    failure.hint = "give the password in PGPASSWORD or ~/.pgpass, or name another role in the URL";
  } else if (says(words,
                  {"no pg_hba.conf entry", "permission denied for database", "is not permitted to log in"})) {
    failure.kind = FailureKind::usage;
    failure.hint = "let the role in from here (pg_hba.conf, GRANT CONNECT), or name another one in the URL";
  } else if (says(words, {"database \"", "role \""}) && says(words, {"does not exist"})) {
    failure.kind = FailureKind::usage;
    failure.hint = "check the role and the database in the URL: postgresql://role@host/DATABASE";
  } else if (says(words, {"invalid integer value", "invalid port number", "could not translate host name",
                          "invalid connection option", "invalid sslmode"})) {
    failure.kind = FailureKind::usage;
    failure.hint = "write the URL like postgresql://user@host:5432/DATABASE";
  } else if (failure.hint.empty()) {
    failure.hint = "check the host and port in the URL, and that the server is running";
  }
  return failure;
}

/// What pg_dump sets too, so that values come out as they must go in; no timeouts of the server's own, since
/// this session waits while pg_dump works.
constexpr const char* k_prepare_session = R"sql(
SELECT set_config('search_path', '', false);
SET datestyle = ISO; SET intervalstyle = postgres; SET extra_float_digits = 3; SET bytea_output = hex;
SET xmloption = content; SET synchronize_seqscans = off; SET row_security = off;
SET max_parallel_workers_per_gather = 0; SET enable_parallel_append = off;
SELECT set_config(name, '0', false) FROM pg_settings
WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout', 'idle_session_timeout'))sql";

}  // namespace

Failure source_failure(const std::string& what, const Connection::Answered& answered) {
  Failure failure{FailureKind::environment,
                  fmt::format("cannot {}: {} ({})", what, answered.message, answered.sqlstate),
                  {},
                  std::nullopt};
  // insufficient_privilege; row_security = off turns hidden rows into this error, too.
  if (answered.sqlstate == "42501") {
    failure.kind = FailureKind::usage;
    failure.hint = "name a role that may read all of it, or leave the table out: --exclude-table";
  } else if (answered.sqlstate == "57014") {
    failure.hint = "give a statement more time: --timeout SECONDS";
  } else if (answered.sqlstate == "55P03") {
    failure.hint = "somebody changes the table: try again later";
  }
  return failure;
}

Result<Connection> open_source(const std::string& connection, std::chrono::seconds statement_timeout) {
  const std::string options =
      fmt::format("{} -c default_transaction_read_only=on -c statement_timeout={}s -c lock_timeout={}s",
                  parameter_of(connection, "options"), statement_timeout.count(), k_lock_timeout.count());
  auto complete = with_parameter(connection, "options", trimmed(options));
  if (complete) complete = with_parameter(*complete, "application_name", "lockkeeper snapshot");
  if (!complete) return failed(complete);
  auto session = Connection::open(*complete);
  if (!session) return tl::unexpected<Failure>(refused_session(session.error()));
  if (session->server_version() < k_oldest_source) {
    return failed(FailureKind::usage,
                  fmt::format("cannot take a snapshot: the server's version {} is older than 13",
                              session->parameter("server_version")));
  }
  // Bytes of an SQL_ASCII database mean nothing that could be converted.
  const bool plain_bytes = session->parameter("server_encoding") == "SQL_ASCII";
  if (const auto set =
          session->rows(plain_bytes ? "SET client_encoding = SQL_ASCII" : "SET client_encoding = UTF8");
      !set)
    return failed(set);
  // In two messages: a level of isolation must come before the first query of its transaction.
  for (const char* sql : {k_prepare_session, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}) {
    if (const auto done = session->rows(sql); !done) return failed(done);
  }
  const auto seen = session->rows(
      "SELECT current_setting('transaction_read_only') || ' ' || current_setting('transaction_isolation') || "
      "' ' || "
      "current_setting('row_security')");
  if (!seen) return failed(seen);
  if (seen->at(0).at(0) != "on repeatable read off")
    return failed(FailureKind::environment,
                  "cannot take a snapshot: the server does not keep the session read-only");
  return session;
}

}  // namespace lockkeeper::engine::postgres
