#include "engine/postgres/inspection.h"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/secrets.h"
#include "base/text.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/connection.h"
#include "engine/postgres/inspection_queries.h"
#include "engine/postgres/tool_books.h"

namespace lockkeeper::engine::postgres {

namespace {

constexpr const char* k_begin_reading = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
constexpr const char* k_end_reading = "ROLLBACK";
constexpr const char* k_mark = "SAVEPOINT look";
constexpr const char* k_release_mark = "RELEASE SAVEPOINT look";
constexpr const char* k_back_to_mark = "ROLLBACK TO SAVEPOINT look";
constexpr const char* k_read_only_from_the_start = "-c default_transaction_read_only=on";
/// Catalogs are rarely analyzed: hash joins stay linear whatever the planner believes.
constexpr const char* k_catalog_plans = "SET LOCAL enable_nestloop = off";
constexpr int k_oldest_major = 13;

struct InspectionSetting {
  const char* name;
  std::string value;  ///< as SET takes it
  std::string shown;  ///< as pg_settings has it: times in milliseconds
};

/// SET LOCAL: behind a pooler the session goes on to somebody else. The second half is what the reader of the
/// catalog pins, so that the same schema reads as the same text.
std::vector<InspectionSetting> inspection_settings(const InspectionOptions& options) {
  const std::string timeout = std::to_string(options.statement_timeout.count());
  return {{"transaction_read_only", "on", "on"},
          {"default_transaction_read_only", "on", "on"},
          {"statement_timeout", timeout, timeout},
          {"lock_timeout", "100", "100"},
          {"idle_in_transaction_session_timeout", "10000", "10000"},
          {"search_path", "pg_catalog", "pg_catalog"},
          {"row_security", "off", "off"},
          {"jit", "off", "off"},
          {"max_parallel_workers_per_gather", "0", "0"},
          {"datestyle", "'ISO, MDY'", "ISO, MDY"},
          {"intervalstyle", "'postgres'", "postgres"},
          {"timezone", "'UTC'", "UTC"},
          {"extra_float_digits", "1", "1"},
          {"bytea_output", "'hex'", "hex"},
          {"lc_monetary", "'C'", "C"},
          {"xmlbinary", "'base64'", "base64"},
          {"quote_all_identifiers", "off", "off"}};
}

std::string set_local(const InspectionSetting& setting) {
  return fmt::format("SET LOCAL {} = {}", setting.name, setting.value);
}

std::string read_back(const std::vector<InspectionSetting>& settings) {
  std::vector<std::string> names;
  for (const auto& setting : settings) names.push_back(fmt::format("'{}'", setting.name));
  return fmt::format("SELECT lower(name), setting FROM pg_settings WHERE lower(name) IN ({})",
                     join(names, ", "));
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
  if (connection) return connection;
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

/// Not even tried: a refusal would stand in the log of the server.
std::string may_not_read(const std::string& tables) {
  return fmt::format("this role may not read it: GRANT SELECT ON {} TO it", tables);
}

std::optional<BookEntry::State> book_state(const std::string& word) {
  using enum BookEntry::State;
  static const std::map<std::string, BookEntry::State> k_states = {{"in", in},
                                                                   {"to", in_with_all_before},
                                                                   {"out", out},
                                                                   {"failed", failed},
                                                                   {"dirty", failed_behind_all_before}};
  const auto found = k_states.find(word);
  return found == k_states.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

struct Inspection::Session {
  using Rows = std::vector<Connection::Row>;

  /// The rows, or none where they cannot be seen, which is noted with the reason.
  Result<std::optional<Rows>> rows(const std::string& what, const std::string& sql,
                                   std::vector<Unseen>& unseen);
  /// Runs something that asks statements of its own, and leaves the transaction whole behind it.
  Result<bool> guarded(const std::string& what, std::vector<Unseen>& unseen,
                       const std::function<Result<Connection::Answered>()>& ask);
  Result<void> must(const std::string& sql);
  /// The transaction, with its settings read back.
  Result<void> begin();
  Failure masked(Failure failure) const;

  Result<void> look_at_server(Inspected& seen);
  Result<void> look_at_sizes(Inspected& seen);
  Result<void> look_for_troubles(Inspected& seen);
  Result<void> look_for_orphans(Inspected& seen);
  Result<void> look_at_books(Inspected& seen);

  Connection connection;
  InspectionOptions options;
  Secrets secrets;
};

Failure Inspection::Session::masked(Failure failure) const {
  failure.message = secrets.masked(std::move(failure.message));
  return failure;
}

Result<void> Inspection::Session::must(const std::string& sql) {
  const auto done = connection.rows(sql);
  if (!done) return tl::unexpected(masked(done.error()));
  return {};
}

Result<void> Inspection::Session::begin() {
  if (const auto begun = must(k_begin_reading); !begun) return begun;
  const auto settings = inspection_settings(options);
  for (const auto& setting : settings) {
    if (const auto set = must(set_local(setting)); !set) return set;
  }
  const auto found = connection.rows(read_back(settings));
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

Result<bool> Inspection::Session::guarded(const std::string& what, std::vector<Unseen>& unseen,
                                          const std::function<Result<Connection::Answered>()>& ask) {
  if (const auto marked = must(k_mark); !marked) return failed(marked);
  const auto answered = ask();
  if (!answered) return tl::unexpected(masked(answered.error()));
  if (answered->sqlstate.empty()) {
    if (const auto done = must(k_release_mark); !done) return failed(done);
    return true;
  }
  if (const auto back = must(k_back_to_mark); !back) return failed(back);
  const bool canceled = answered->sqlstate == "57014";
  const bool locked_out = answered->sqlstate == "55P03";
  const char* const advice = canceled     ? "; --statement-timeout gives it longer"
                             : locked_out ? "; somebody has a table for himself: look again later"
                                          : "";
  unseen.push_back({what,
                    fmt::format("{} ({}){}", secrets.masked(answered->message), answered->sqlstate, advice),
                    canceled || locked_out});
  return false;
}

Result<std::optional<Inspection::Session::Rows>> Inspection::Session::rows(const std::string& what,
                                                                           const std::string& sql,
                                                                           std::vector<Unseen>& unseen) {
  Rows found;
  const auto whole = guarded(what, unseen, [&] {
    auto answered = connection.ask(sql);
    if (answered) found = std::move(answered->rows);
    return answered;
  });
  if (!whole) return failed(whole);
  return *whole ? std::optional(std::move(found)) : std::nullopt;
}

Result<Inspection> Inspection::open(const InspectionOptions& options) {
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
  auto session = std::make_unique<Session>(Session{std::move(*opened), options, std::move(secrets)});
  const int major = session->connection.server_version() / 10000;
  if (major < k_oldest_major) {
    return failed(
        FailureKind::environment,
        fmt::format("cannot inspect the server: version {} is older than {}", major, k_oldest_major));
  }
  if (const auto begun = session->begin(); !begun) return failed(begun);
  const auto role = session->connection.rows(std::string(queries::k_role));
  if (!role) return tl::unexpected(session->masked(role.error()));
  if (options.superuser == Superuser::refused && is_true_in(role->at(0), 1)) {
    return failed(
        FailureKind::usage,
        fmt::format("will not inspect as '{}': it is a superuser", text_in(role->at(0), 0)),
        "use a role that may only look: CREATE ROLE inspector LOGIN; GRANT pg_monitor TO inspector; or "
        "say --superuser-ok");
  }
  return Inspection(std::move(session));
}

Inspection::Inspection(std::unique_ptr<Session> session) : m_session(std::move(session)) {}
Inspection::Inspection(Inspection&&) noexcept = default;
Inspection::~Inspection() {
  if (m_session != nullptr) m_session->connection.run_to_end(k_end_reading);
}

Result<void> Inspection::Session::look_at_server(Inspected& seen) {
  InspectedServer& server = seen.server;
  server.major = connection.server_version() / 10000;
  const auto found = rows("the server", std::string(queries::k_server), seen.unseen);
  if (!found) return failed(found);
  if (*found && !(*found)->empty()) {
    const auto& row = (*found)->front();
    server.version = text_in(row, 0);
    server.database = text_in(row, 1);
    server.role = text_in(row, 2);
    server.encoding = text_in(row, 3);
    server.collation = text_in(row, 4);
    server.is_standby = is_true_in(row, 5);
    server.sees_others = is_true_in(row, 6);
    server.counted_since = text_in(row, 7);
  }
  const auto settings = rows("settings", std::string(queries::k_settings), seen.unseen);
  if (!settings) return failed(settings);
  for (const auto& row : settings->value_or(Rows())) server.settings[text_in(row, 0)] = text_in(row, 1);
  if (!server.sees_others) {
    seen.unseen.push_back({"what sessions of other roles do, and how standbys lag behind",
                           fmt::format("role '{}' may not see it: GRANT pg_monitor TO it", server.role)});
  }
  return {};
}

Result<void> Inspection::Session::look_at_sizes(Inspected& seen) {
  const auto bytes = rows("the size of the database", std::string(queries::k_bytes), seen.unseen);
  if (!bytes) return failed(bytes);
  if (*bytes && !(*bytes)->empty()) seen.server.bytes = number_in((*bytes)->front(), 0);
  const auto tables = rows("sizes of tables", std::string(queries::k_tables), seen.unseen);
  if (!tables) return failed(tables);
  for (const auto& row : tables->value_or(Rows())) {
    seen.tables.push_back(
        {text_in(row, 0), number_in(row, 1), number_in(row, 2), is_true_in(row, 3), is_true_in(row, 4)});
  }
  const auto indexes = rows("use of indexes", std::string(queries::k_indexes), seen.unseen);
  if (!indexes) return failed(indexes);
  for (const auto& row : indexes->value_or(Rows())) {
    seen.indexes.push_back({text_in(row, 0), text_in(row, 1), number_in(row, 2).value_or(0),
                            number_in(row, 3), is_true_in(row, 4)});
  }
  return {};
}

Result<void> Inspection::Session::look_for_troubles(Inspected& seen) {
  for (const queries::TroubleQuery& query : queries::troubles()) {
    const auto found = rows(std::string(query.title), std::string(query.sql), seen.unseen);
    if (!found) return failed(found);
    for (const auto& row : found->value_or(Rows())) {
      seen.troubles.push_back(
          {std::string(query.kind), text_in(row, 1), text_in(row, 2), is_true_in(row, 0)});
    }
  }
  return {};
}

Result<void> Inspection::Session::look_for_orphans(Inspected& seen) {
  const auto keys =
      rows("foreign keys that are NOT VALID", std::string(queries::k_unvalidated_foreign_keys), seen.unseen);
  if (!keys) return failed(keys);
  for (const auto& key : keys->value_or(Rows())) {
    const std::string what = fmt::format("orphans of {}", text_in(key, 0));
    if (!is_true_in(key, 6)) {
      seen.unseen.push_back({what, may_not_read(text_in(key, 1) + ", " + text_in(key, 5))});
      continue;
    }
    const auto found = rows(
        what,
        queries::orphans(text_in(key, 1), text_in(key, 2), text_in(key, 3), text_in(key, 4), text_in(key, 5)),
        seen.unseen);
    if (!found) return failed(found);
    const auto orphans = *found && !(*found)->empty() ? number_in((*found)->front(), 0).value_or(0) : 0;
    if (orphans == 0) continue;
    seen.troubles.push_back({std::string(queries::k_orphan_kind), text_in(key, 0),
                             fmt::format("{} of the first 10,000 of {} refer to none of {}",
                                         counted(orphans, "row"), text_in(key, 1), text_in(key, 5)),
                             true});
  }
  return {};
}

Result<void> Inspection::Session::look_at_books(Inspected& seen) {
  const auto tables = rows("tables of migration tools", find_books(), seen.unseen);
  if (!tables) return failed(tables);
  for (const auto& row : tables->value_or(Rows())) {
    const KnownBook* known = book_of(text_in(row, 1), split(text_in(row, 2), ','));
    if (known == nullptr) continue;
    ToolBook book{std::string(known->tool), text_in(row, 0), {}};
    const std::string what = fmt::format("{} of {}", book.table, known->tool);
    if (!is_true_in(row, 3)) {
      seen.unseen.push_back({what, may_not_read(book.table)});
      continue;
    }
    const std::string sql =
        fmt::format("SELECT * FROM ({}) b LIMIT 20000", fmt::format(fmt::runtime(known->query), book.table));
    const auto entries = rows(what, sql, seen.unseen);
    if (!entries) return failed(entries);
    if (!*entries) continue;
    for (const auto& entry : **entries) {
      if (const auto state = book_state(text_in(entry, 1)))
        book.entries.push_back({text_in(entry, 0), *state});
    }
    seen.books.push_back(std::move(book));
  }
  return {};
}

Result<Inspected> Inspection::look() {
  Inspected seen;
  for (const auto look : {&Session::look_at_server, &Session::look_at_sizes, &Session::look_for_troubles,
                          &Session::look_for_orphans, &Session::look_at_books}) {
    const auto done = ((*m_session).*look)(seen);
    if (!done) return failed(done);
  }
  return seen;
}

Result<std::optional<State>> Inspection::read_schema(std::vector<Unseen>& unseen) {
  Session& session = *m_session;
  if (const auto set = session.must(k_catalog_plans); !set) return failed(set);
  const CatalogQuery query(session.connection.server_version() / 10000, CatalogScope::schema_alone);
  CatalogReader reader(query, nullptr);
  const auto read = [&](const std::string& sql) {
    return session.guarded("the schema", unseen, [&] {
      return session.connection.each_row(sql, [&](Connection::Values row) { reader.add(row); });
    });
  };
  auto whole = read(query.sql());
  const std::set<std::size_t> needed = reader.needed();
  for (auto piece = needed.begin(); whole && *whole && piece != needed.end(); ++piece)
    whole = read(query.more_sql(*piece));
  if (!whole) return failed(whole);
  if (!*whole) return std::optional<State>();
  State state;
  state.objects = reader.finish().objects;
  return std::optional(std::move(state));
}

TroubleText text_of_trouble(std::string_view kind) {
  if (kind == queries::k_orphan_kind) {
    return {"orphans of foreign keys that are NOT VALID",
            "mend or delete these rows: VALIDATE CONSTRAINT fails on them, and so does adding the key anew"};
  }
  const auto known = queries::troubles();
  const auto found = std::ranges::find(known, kind, &queries::TroubleQuery::kind);
  return found == known.end() ? TroubleText{} : TroubleText{found->title, found->advice};
}

std::vector<InspectionStatement> inspection_statements(const InspectionOptions& options, int major,
                                                       WithSchema schema) {
  std::vector<InspectionStatement> all;
  const auto settings = inspection_settings(options);
  all.push_back({"one transaction that cannot write", k_begin_reading});
  for (const auto& setting : settings)
    all.push_back({"settings of this transaction alone", set_local(setting)});
  all.push_back({"do they hold", read_back(settings)});
  all.push_back({"is the role a superuser", std::string(queries::k_role)});
  all.push_back({"before each of what follows", k_mark});
  all.push_back({"behind each", k_release_mark});
  all.push_back({"where it failed", k_back_to_mark});
  all.push_back({"the server", std::string(queries::k_server)});
  all.push_back({"settings", std::string(queries::k_settings)});
  all.push_back({"the size of the database", std::string(queries::k_bytes)});
  all.push_back({"sizes of tables", std::string(queries::k_tables)});
  all.push_back({"use of indexes", std::string(queries::k_indexes)});
  for (const auto& query : queries::troubles()) all.push_back({query.title, std::string(query.sql)});
  all.push_back({"foreign keys that are NOT VALID", std::string(queries::k_unvalidated_foreign_keys)});
  all.push_back(
      {"orphans, for each of these",
       queries::orphans("«table»", "«columns»", "«columns IS NOT NULL»", "«p.key = c.columns»", "«table»")});
  all.push_back({"tables of migration tools", find_books()});
  for (const KnownBook& book : known_books()) {
    all.push_back(
        {book.tool, fmt::format("SELECT * FROM ({}) b LIMIT 20000",
                                fmt::format(fmt::runtime(book.query), fmt::format("«{}»", book.table)))});
  }
  if (schema == WithSchema::yes) {
    const CatalogQuery query(major, CatalogScope::schema_alone);
    all.push_back({"the schema", k_catalog_plans});
    all.push_back({"the schema", query.sql()});
    for (std::size_t piece = 0; piece < query.pieces(); ++piece) {
      if (query.has_more(piece))
        all.push_back({"the schema, what few databases have", query.more_sql(piece)});
    }
  }
  all.push_back({"the end", k_end_reading});
  return all;
}

}  // namespace lockkeeper::engine::postgres
