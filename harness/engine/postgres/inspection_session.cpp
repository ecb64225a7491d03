#include "engine/postgres/inspection_session.h"

#include <cstdlib>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/postgres/inspection_queries.h"
#include "engine/postgres/state_session.h"

namespace lockkeeper::engine::postgres {

namespace {

constexpr const char* k_begin_reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
constexpr const char* k_end_reading = "ROLLBACK";
constexpr const char* k_mark = "SAVEPOINT look";
constexpr const char* k_release_mark = "RELEASE SAVEPOINT look";
constexpr const char* k_back_to_mark = "ROLLBACK TO SAVEPOINT look";
constexpr const char* k_read_only_from_the_start = "-c default_transaction_read_only=on";
constexpr int k_oldest_major = 13;

struct InspectionSetting {
  const char* name;
  std::string value;  ///< as SET takes it
  std::string shown;  ///< as pg_settings has it: times in milliseconds
};

/// SET LOCAL: behind a pooler the session goes on to somebody else.
std::vector<InspectionSetting> inspection_settings(const InspectionOptions& options) {
  const std::string timeout = std::to_string(options.statement_timeout.count());
  std::vector<InspectionSetting> settings = {{"transaction_read_only", "on", "on"},
                                             {"default_transaction_read_only", "on", "on"},
                                             {"statement_timeout", timeout, timeout},
                                             {"lock_timeout", "100", "100"},
                                             {"idle_in_transaction_session_timeout", "10000", "10000"},
                                             {"search_path", "pg_catalog", "pg_catalog"},
                                             {"row_security", "off", "off"},
                                             {"jit", "off", "off"},
                                             {"max_parallel_workers_per_gather", "0", "0"}};
  for (const PinnedSetting& setting : text_settings())
    settings.push_back({setting.name, setting.value, setting.shown});
  return settings;
}

std::string set_local(const InspectionSetting& setting) {
  return fmt::format("SET LOCAL {} = {}", setting.name, setting.value);
}

std::string read_back(const std::vector<InspectionSetting>& settings) {
  std::vector<std::string> names;
  names.reserve(settings.size());
  for (const auto& setting : settings) names.push_back(fmt::format("'{}'", setting.name));
  return fmt::format("SELECT lower(name), setting FROM pg_settings WHERE lower(name) IN ({})",
                     join(names, ", "));
}

/// An @ or a / of a password that is not written as %40 or %2F makes the rest of it a host, port or database,
/// which libpq's messages name.
bool is_split_wrongly(const std::string& url) {
  const auto holds_at = [&](const char* keyword) {
    return parameter_of(url, keyword).find('@') != std::string::npos;
  };
  const bool is_url = url.find("://") != std::string::npos;
  const bool odd_port = parameter_of(url, "port").find_first_not_of("0123456789,") != std::string::npos;
  return is_url && (holds_at("host") || holds_at("dbname") || odd_port);
}

Result<std::string> inspection_conninfo(const InspectionOptions& options, const std::string& server_options) {
  Result<std::string> connection = options.url;
  std::vector<std::pair<const char*, std::string>> parameters = {
      {"application_name", options.application_name}, {"client_encoding", "UTF8"}};
  const std::string asked = parameter_of(options.url, "options");
  if (!server_options.empty())
    parameters.emplace_back("options", asked.empty() ? server_options : asked + " " + server_options);
  // A server that is gone says nothing: the kernel has to notice.
  for (const auto& [name, value] : {std::pair("connect_timeout", "10"), std::pair("keepalives_idle", "5"),
                                    std::pair("keepalives_interval", "2"), std::pair("keepalives_count", "3"),
                                    std::pair("tcp_user_timeout", "15000")}) {
    if (parameter_of(options.url, name).empty()) parameters.emplace_back(name, value);
  }
  for (const auto& [name, value] : parameters) {
    if (connection) connection = with_parameter(*connection, name, value);
  }
  if (connection && !is_split_wrongly(options.url)) return connection;
  // libpq's own words quote the URL, and with it the password.
  return failed(
      FailureKind::usage, "cannot read the URL of the server",
      "write it like postgresql://user@host:5432/database; in a password @ is %40, : is %3A, / is %2F "
      "and # is %23, or give it in PGPASSWORD or ~/.pgpass");
}

/// What the server says of credentials and names is for the user to mend; it mostly speaks English.
Failure refused_connection(Failure failure) {
  const auto says = [&](const char* words) { return failure.message.find(words) != std::string::npos; };
  if (says("password authentication failed") || says("no password supplied")) {
    failure.kind = FailureKind::usage;
    failure.hint = "give the right password in PGPASSWORD or ~/.pgpass, or name another role in the URL";
  } else if (says("no pg_hba.conf entry") || says("does not exist") || says("is not permitted to log in") ||
             says("permission denied for database")) {
    failure.kind = FailureKind::usage;
    failure.hint = "name a role and a database in the URL that may be connected to from here";
  } else if (failure.hint.empty()) {
    failure.hint = "check host and port in the URL, and that the server is running";
  }
  return failure;
}

}  // namespace

std::string text_in(const Connection::Row& row, std::size_t column) {
  return column < row.size() ? row[column].value_or("") : std::string();
}
bool is_true_in(const Connection::Row& row, std::size_t column) {
  return text_in(row, column) == "t";
}
std::optional<std::int64_t> number_in(const Connection::Row& row, std::size_t column) {
  if (column >= row.size() || !row[column]) return std::nullopt;
  return std::strtoll(row[column]->c_str(), nullptr, 10);
}

Failure InspectionSession::masked(Failure failure) const {
  failure.message = m_secrets.masked(std::move(failure.message));
  return failure;
}

Result<void> InspectionSession::run(const std::string& sql) {
  const auto done = m_connection.rows(sql);
  if (!done) return tl::unexpected(masked(done.error()));
  return {};
}

Result<void> InspectionSession::begin(const InspectionOptions& options) {
  if (const auto begun = run(k_begin_reading); !begun) return failed(begun);
  const auto settings = inspection_settings(options);
  for (const auto& setting : settings) {
    if (const auto set = run(set_local(setting)); !set) return failed(set);
  }
  const auto found = m_connection.rows(read_back(settings));
  if (!found) return tl::unexpected(masked(found.error()));
  std::map<std::string, std::string> values;
  for (const auto& row : *found) values[text_in(row, 0)] = text_in(row, 1);
  for (const auto& setting : settings) {
    if (values[setting.name] == setting.shown) continue;
    return failed(
        FailureKind::environment,
        fmt::format("cannot pin the setting '{}': it stays '{}'", setting.name, values[setting.name]),
        "connect to the server itself rather than through a pooler");
  }
  return {};
}

Result<bool> InspectionSession::guarded(const std::string& what, std::vector<Unseen>& unseen,
                                        const std::function<Result<Connection::Answered>()>& ask) {
  if (const auto marked = run(k_mark); !marked) return failed(marked);
  const auto answered = ask();
  if (!answered) return tl::unexpected(masked(answered.error()));
  if (answered->sqlstate.empty()) {
    if (const auto done = run(k_release_mark); !done) return failed(done);
    return true;
  }
  if (const auto back = run(k_back_to_mark); !back) return failed(back);
  const bool canceled = answered->sqlstate == "57014";
  const bool locked_out = answered->sqlstate == "55P03";
  const char* const advice = canceled     ? "; --statement-timeout gives it longer"
                             : locked_out ? "; somebody has a table for himself: look again later"
                                          : "";
  unseen.push_back({what,
                    fmt::format("{} ({}){}", m_secrets.masked(answered->message), answered->sqlstate, advice),
                    canceled || locked_out});
  return false;
}

Result<std::optional<InspectionSession::Rows>> InspectionSession::rows(const std::string& what,
                                                                       const std::string& sql,
                                                                       std::vector<Unseen>& unseen) {
  Rows found;
  const auto whole = guarded(what, unseen, [&] {
    auto answered = m_connection.ask(sql);
    if (answered) found = std::move(answered->rows);
    return answered;
  });
  if (!whole) return failed(whole);
  return *whole ? std::optional(std::move(found)) : std::nullopt;
}

Result<bool> InspectionSession::each_row(const std::string& what, const std::string& sql,
                                         std::vector<Unseen>& unseen,
                                         const std::function<void(Connection::Values)>& take) {
  return guarded(what, unseen, [&] { return m_connection.each_row(sql, take); });
}

Result<InspectionSession> InspectionSession::open(const InspectionOptions& options) {
  auto secrets = Secrets::of_environment({}).with(parameter_of(options.url, "password"));
  auto connection = inspection_conninfo(options, k_read_only_from_the_start);
  if (!connection) return failed(connection);
  auto opened = Connection::open(*connection);
  // A pooler may know no such parameter; the transaction is read-only without it too.
  if (!opened && opened.error().message.find("startup parameter") != std::string::npos) {
    connection = inspection_conninfo(options, "");
    opened = Connection::open(*connection);
  }
  if (!opened) {
    auto failure = refused_connection(opened.error());
    failure.message = secrets.masked(std::move(failure.message));
    return tl::unexpected(std::move(failure));
  }
  InspectionSession session(std::move(*opened), std::move(secrets));
  if (session.major() < k_oldest_major) {
    return failed(FailureKind::environment,
                  fmt::format("cannot inspect the server: version {} is older than {}", session.major(),
                              k_oldest_major));
  }
  if (const auto begun = session.begin(options); !begun) return failed(begun);
  if (const auto may = session.check_role(options); !may) return failed(may);
  return session;
}

InspectionSession::~InspectionSession() {
  if (m_connection.usable()) m_connection.run_to_end(k_end_reading);
}

Result<void> InspectionSession::check_role(const InspectionOptions& options) {
  const auto role = m_connection.rows(std::string(queries::k_role));
  if (!role) return tl::unexpected(masked(role.error()));
  if (options.superuser == Superuser::accepted || !is_true_in(role->at(0), 1)) return {};
  return failed(
      FailureKind::usage, fmt::format("will not inspect as '{}': it is a superuser", text_in(role->at(0), 0)),
      "use a role that may only look: CREATE ROLE inspector LOGIN; GRANT pg_monitor TO inspector; or "
      "say --superuser-ok");
}

std::vector<InspectionStatement> statements_before(const InspectionOptions& options) {
  const auto settings = inspection_settings(options);
  std::vector<InspectionStatement> all = {{"one transaction that cannot write", k_begin_reading}};
  for (const auto& setting : settings)
    all.push_back({"settings of this transaction alone", set_local(setting)});
  all.push_back({"do they hold", read_back(settings)});
  all.push_back({"is the role a superuser", std::string(queries::k_role)});
  return all;
}

std::vector<InspectionStatement> statements_around() {
  return {{"before each of what follows", k_mark},
          {"behind each", k_release_mark},
          {"where it failed", k_back_to_mark}};
}

InspectionStatement statement_at_the_end() {
  return {"the end", k_end_reading};
}

}  // namespace lockkeeper::engine::postgres
