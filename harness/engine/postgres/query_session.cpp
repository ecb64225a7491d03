#include "engine/postgres/query_session.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <libpq-fe.h>
#include <nlohmann/json.hpp>
#include <poll.h>

#include "base/interrupt.h"
#include "base/text.h"
#include "engine/answer_hash.h"
#include "engine/postgres/connection.h"

namespace lockkeeper::engine::postgres {

namespace {

using Json = nlohmann::json;
using SteadyClock = std::chrono::steady_clock;

constexpr const char* k_statement = "lockkeeper_query";
constexpr std::array<Oid, 2> k_floating = {700, 701};  // float4, float8 (pg_type.dat)
/// What a server may take longer than its own limit before we give it up.
constexpr std::chrono::seconds k_patience{20};

struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Answered = std::unique_ptr<PGresult, Clear>;

std::string field(const PGresult* result, int code) {
  const char* const text = PQresultErrorField(result, code);
  return text == nullptr ? "" : text;
}

record::SqlError error_of(const PGresult* result) {
  return {field(result, PG_DIAG_SQLSTATE), field(result, PG_DIAG_MESSAGE_PRIMARY),
          field(result, PG_DIAG_MESSAGE_DETAIL), field(result, PG_DIAG_MESSAGE_HINT),
          field(result, PG_DIAG_CONTEXT)};
}

// ── plans
// ───────────────────────────────────────────────────────────────────────────────────────────────────────

std::string text_of(const Json& node, const char* key) {
  const auto found = node.find(key);
  if (found == node.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array()) return found->dump();
  std::vector<std::string> parts;
  for (const auto& part : *found) parts.push_back(part.is_string() ? part.get<std::string>() : part.dump());
  return join(parts, ", ");
}

std::int64_t number(const Json& node, const char* key) {
  const auto found = node.find(key);
  return found == node.end() || !found->is_number() ? 0 : found->get<std::int64_t>();
}

std::string identity_of(const Json& node) {
  return text_of(node, "Relation Name");
}

/// What decides which rows a node gives, and in which order.
std::string detail_of(const Json& node) {
  std::vector<std::string> parts;
  for (const char* key :
       {"Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond", "Join Filter", "Filter", "Sort Key",
        "Group Key", "One-Time Filter", "Subplan Name", "CTE Name", "Function Name"}) {
    if (std::string text = text_of(node, key); !text.empty()) parts.push_back(lower(key) + " " + text);
  }
  return abridged(join(parts, "; "), 400);
}

void read_node(const Json& node, int depth, record::QueryPlan& plan) {
  record::PlanNode own;
  own.depth = depth;
  own.kind = node.value("Node Type", "");
  // ModifyTable says more by its operation, an aggregate by its strategy.
  if (const std::string operation = text_of(node, "Operation"); !operation.empty()) own.kind = operation;
  if (own.kind == "Aggregate" && text_of(node, "Strategy") == "Hashed") own.kind = "HashAggregate";
  if (own.kind == "Aggregate" && text_of(node, "Strategy") == "Sorted") own.kind = "GroupAggregate";
  own.relation = identity_of(node);
  own.index = text_of(node, "Index Name");
  own.join = text_of(node, "Join Type");
  own.detail = detail_of(node);
  own.rows_estimated = node.value("Plan Rows", 0.0);
  own.rows = node.value("Actual Rows", 0.0);
  own.loops = number(node, "Actual Loops");
  own.buffers = number(node, "Shared Hit Blocks") + number(node, "Shared Read Blocks") +
                number(node, "Local Hit Blocks") + number(node, "Local Read Blocks");
  if (text_of(node, "Sort Space Type") == "Disk") own.spilled_kilobytes = number(node, "Sort Space Used");
  if (number(node, "Hash Batches") > 1 || number(node, "HashAgg Batches") > 1)
    own.spilled_kilobytes = std::max(number(node, "Disk Usage"), 8 * number(node, "Temp Written Blocks"));
  if (!own.index.empty()) plan.indexes.push_back(own.index);
  if (own.kind == "Seq Scan") plan.sequential_scans.push_back(own.relation);
  plan.nodes.push_back(std::move(own));
  if (!node.contains("Plans")) return;
  for (const auto& child : node["Plans"]) read_node(child, depth + 1, plan);
}

// ── the session
// ─────────────────────────────────────────────────────────────────────────────────────────────────

class TimedSession : public QuerySession {
 public:
  TimedSession(Connection connection, const QuerySettings& settings, bool on_this_machine)
      : m_connection(std::move(connection)), m_settings(settings), m_on_this_machine(on_this_machine) {}

  Result<void> set_up();
  Result<std::optional<record::SqlError>> prepare(const std::string& sql, Access access) override;
  Result<QueryAnswer> answer(const Parameters& parameters) override;
  Result<std::optional<QueryAnswer>> answer_otherwise(const Parameters& parameters, int way) override;
  Result<Explained> explain(const Parameters& parameters) override;
  Result<void> open() override { return command(m_begin.c_str()); }
  const record::SqlError* execute(const Parameters& parameters) override;
  Result<void> close() override { return command("ROLLBACK"); }
  std::vector<int> processes() const override {
    return can_be_pinned() ? std::vector<int>{PQbackendPID(handle())} : std::vector<int>{};
  }
  bool can_be_pinned() const override { return m_on_this_machine || is_beside_us(); }
  Result<bool> are_empty(const std::vector<std::string>& tables) override;

 private:
  PGconn* handle() const { return m_connection.handle(); }
  bool is_beside_us() const;
  Result<void> command(const char* sql);
  /// Sends the prepared statement and hands over its rows as they come; what the server says against it.
  template <typename Take>
  std::optional<record::SqlError> run(const Parameters& parameters, Take take);
  Answered next_result();
  std::string call(const Parameters& parameters) const;
  std::optional<record::SqlError> wrong_number(const Parameters& parameters) const;
  record::SqlError as_of_limit(record::SqlError error, SteadyClock::time_point since) const;
  Result<void> read_plan(const Connection::Answered& counted, const Parameters& parameters,
                         Explained& explained);
  Result<std::vector<std::string>> tables_touched();
  Result<QueryAnswer> take_answer(const Parameters& parameters);
  Result<void> name_kinds(QueryAnswer& answer, const std::vector<Oid>& types);
  std::optional<record::SqlError> move_rows(const Parameters& parameters);
  Result<void> add_parents(record::QueryPlan& plan);
  Result<void> lost() const {
    if (interrupted()) return failed_by_interrupt();
    return failed(FailureKind::environment, fmt::format("cannot ask the database: {}",
                                                        abridged(trimmed(PQerrorMessage(handle())), 300)));
  }
  Result<record::SqlError> revive();

  Connection m_connection;
  QuerySettings m_settings;
  bool m_on_this_machine;
  std::string m_begin = "BEGIN";
  std::size_t m_wanted = 0;  // parameters of what is prepared
  std::map<Oid, std::string> m_kinds;
  std::optional<record::SqlError> m_error;
  SteadyClock::time_point m_give_up{};
  bool m_gave_up = false;
};

/// Settings are made for the session and read back, since a fixture's ALTER ROLE or a pooler may stand
/// against them. Every execution is planned for its own values, as most drivers' are.
Result<void> TimedSession::set_up() {
  const std::vector<std::pair<std::string, std::string>> settings = {
      {"jit", m_settings.jit ? "on" : "off"},
      {"max_parallel_workers_per_gather", std::to_string(m_settings.parallel_workers)},
      {"plan_cache_mode", "force_custom_plan"},
      {"statement_timeout", std::to_string(m_settings.longest.count())},
      {"client_min_messages", "error"},
      {"extra_float_digits", "1"}};
  for (const auto& [name, value] : settings) {
    const auto set = m_connection.rows("SELECT set_config($1, $2, false)", {name, value});
    if (!set) return failed(set);
    const auto seen =
        m_connection.rows("SELECT s.setting = $2 FROM pg_settings s WHERE s.name = $1", {name, value});
    if (!seen) return failed(seen);
    if (seen->empty() || (*seen)[0][0] != "t")
      return failed(FailureKind::environment, fmt::format("cannot set {} to {} on the server", name, value));
  }
  return {};
}

Result<void> TimedSession::command(const char* sql) {
  const Answered result(PQexec(handle(), sql));
  return PQresultStatus(result.get()) == PGRES_COMMAND_OK ? Result<void>() : lost();
}

Result<std::optional<record::SqlError>> TimedSession::prepare(const std::string& sql, Access access) {
  m_begin = access == Access::read ? "BEGIN READ ONLY" : "BEGIN";
  if (const auto done = command("DEALLOCATE ALL"); !done) {
    // Another query may have ended this session too.
    if (PQstatus(handle()) == CONNECTION_OK) return failed(done);
    if (const auto revived = revive(); !revived) return failed(revived);
  }
  Answered result(PQprepare(handle(), k_statement, sql.c_str(), 0, nullptr));
  if (PQresultStatus(result.get()) == PGRES_COMMAND_OK)
    result.reset(PQdescribePrepared(handle(), k_statement));
  m_wanted = static_cast<std::size_t>(PQnparams(result.get()));
  if (PQresultStatus(result.get()) == PGRES_COMMAND_OK) return std::optional<record::SqlError>();
  if (PQstatus(handle()) != CONNECTION_OK) return failed(lost());
  return std::optional(error_of(result.get()));
}

/// The server's own words would name the statement that we prepared.
std::optional<record::SqlError> TimedSession::wrong_number(const Parameters& parameters) const {
  if (parameters.size() == m_wanted) return std::nullopt;
  return record::SqlError{
      "08P01",
      fmt::format("it has {}, and {} given", counted(static_cast<std::int64_t>(m_wanted), "parameter"),
                  parameters.size() == 1 ? "1 value is" : fmt::format("{} values are", parameters.size())),
      "", "", ""};
}

/// A query may be cancelled by others too, as by itself.
record::SqlError TimedSession::as_of_limit(record::SqlError error, SteadyClock::time_point since) const {
  if (error.sqlstate == "57014" && SteadyClock::now() - since >= m_settings.longest)
    error.message = fmt::format("it takes longer than {}", human(m_settings.longest));
  return error;
}

/// A server of somebody else's on this machine: the process that it names must be one of PostgreSQL's here,
/// and not one of the same number elsewhere.
bool TimedSession::is_beside_us() const {
  const char* const host = PQhost(handle());
  if (host == nullptr || *host != '/') return false;
  std::ifstream file(fmt::format("/proc/{}/cmdline", PQbackendPID(handle())));
  std::string title;
  return std::getline(file, title) && title.starts_with("postgres: ");
}

/// The server cuts what takes too long; only one that has gone silent is given up here.
Answered TimedSession::next_result() {
  while (PQisBusy(handle()) != 0) {
    pollfd waiting{PQsocket(handle()), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, 100);
    m_gave_up = interrupted() || SteadyClock::now() > m_give_up;
    if (m_gave_up || (ready > 0 && PQconsumeInput(handle()) == 0)) return nullptr;
  }
  return Answered(PQgetResult(handle()));
}

/// A query that ended its session, or made the server fall silent, has an answer too: a new session goes on.
Result<record::SqlError> TimedSession::revive() {
  const bool silent = m_gave_up;
  m_gave_up = false;
  PQreset(handle());
  if (PQstatus(handle()) != CONNECTION_OK) return failed(lost());
  if (const auto ready = set_up(); !ready) return failed(ready);
  return record::SqlError{
      "57P01", silent ? "the server fell silent over it" : "it ends the session that it is tried in", "", "",
      ""};
}

template <typename Take>
std::optional<record::SqlError> TimedSession::run(const Parameters& parameters, Take take) {
  if (auto wrong = wrong_number(parameters)) return wrong;
  std::vector<const char*> values;
  for (const auto& value : parameters) values.push_back(value ? value->c_str() : nullptr);
  const auto begun = SteadyClock::now();
  m_give_up = begun + m_settings.longest + k_patience;
  if (PQsendQueryPrepared(handle(), k_statement, static_cast<int>(values.size()), values.data(), nullptr,
                          nullptr, 0) == 0 ||
      PQsetSingleRowMode(handle()) == 0) {
    return record::SqlError{"08000", trimmed(PQerrorMessage(handle())), "", "", ""};
  }
  std::optional<record::SqlError> error;
  while (const Answered result = next_result()) {
    const ExecStatusType status = PQresultStatus(result.get());
    if (status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
      take(result.get());
    } else if (status == PGRES_COPY_OUT || status == PGRES_COPY_IN || status == PGRES_COPY_BOTH) {
      error = record::SqlError{"0A000", "COPY is no query that can be compared", "", "", ""};
      break;
    } else if (status == PGRES_EMPTY_QUERY) {
      error = record::SqlError{"42601", "one statement is wanted", "", "", ""};
    } else if (!error) {
      error = error_of(result.get());
    }
  }
  if (error) return as_of_limit(std::move(*error), begun);
  if (PQtransactionStatus(handle()) == PQTRANS_IDLE)
    return record::SqlError{"2D000", "it leaves the transaction that it is tried in", "", "", ""};
  return error;
}

Result<QueryAnswer> TimedSession::answer(const Parameters& parameters) {
  if (const auto begun = open(); !begun) return failed(begun);
  return take_answer(parameters);
}

namespace {

/// Under these a plan that hangs on the order in which rows are found comes out otherwise.
constexpr std::array<const char*, 3> k_other_plans = {
    "SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexonlyscan = "
    "off",
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashagg = off",
    "SET LOCAL enable_hashjoin = off; SET LOCAL enable_sort = off"};
constexpr int k_rows_to_move = 5000;

}  // namespace

/// The last way is that of rows which lie elsewhere, as any UPDATE leaves them.
Result<std::optional<QueryAnswer>> TimedSession::answer_otherwise(const Parameters& parameters, int way) {
  const auto plans = static_cast<int>(k_other_plans.size());
  if (way > plans) return std::optional<QueryAnswer>();
  if (const auto begun = command("BEGIN"); !begun) return failed(begun);
  std::optional<record::SqlError> error;
  if (way == plans) {
    error = move_rows(parameters);
  } else {
    const Answered set(PQexec(handle(), k_other_plans[static_cast<std::size_t>(way)]));
    if (PQresultStatus(set.get()) != PGRES_COMMAND_OK) error = error_of(set.get());
  }
  if (!error) {
    auto answer = take_answer(parameters);
    if (!answer) return failed(answer);
    return std::optional(std::move(*answer));
  }
  QueryAnswer refused;
  refused.error = std::move(error);
  if (const auto ended = close(); !ended) return failed(ended);
  return std::optional(std::move(refused));
}

/// The first rows of each table that the query reads move behind the others, the last of them first: they
/// come to lie the other way round, which no tie outlives. Not allowed on a server of somebody else's.
std::optional<record::SqlError> TimedSession::move_rows(const Parameters& parameters) {
  const auto asked = [this](const std::string& sql) { return Answered(PQexec(handle(), sql.c_str())); };
  // Which tables it touches its locks say; what it wrote is taken back.
  asked("SAVEPOINT lockkeeper_moves");
  if (auto error = run(parameters, [](const PGresult*) {})) return error;
  const Answered read = asked(
      "SELECT DISTINCT ON (c.oid) c.oid::regclass, quote_ident(a.attname) FROM pg_locks l JOIN pg_class c ON "
      "c.oid = "
      "l.relation JOIN pg_attribute a ON a.attrelid = c.oid WHERE l.pid = pg_backend_pid() AND l.locktype = "
      "'relation' AND c.relkind = 'r' AND c.oid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped AND "
      "a.attgenerated "
      "= '' AND a.attidentity <> 'a' ORDER BY c.oid, a.attnum DESC");
  if (PQresultStatus(read.get()) != PGRES_TUPLES_OK) return error_of(read.get());
  const Answered back = asked("ROLLBACK TO SAVEPOINT lockkeeper_moves");
  if (PQresultStatus(back.get()) != PGRES_COMMAND_OK) return error_of(back.get());
  // No trigger shall see it, and only a nested loop around a scan of places keeps to the order that it is
  // given.
  std::string move =
      "SET LOCAL session_replication_role = replica; SET LOCAL enable_hashjoin = off; SET LOCAL "
      "enable_mergejoin = off; "
      "SET LOCAL enable_seqscan = off";
  for (int row = 0; row < PQntuples(read.get()); ++row) {
    move += fmt::format(
        "; UPDATE ONLY {0} moved SET {1} = moved.{1} FROM (SELECT place FROM (SELECT ctid AS place FROM ONLY "
        "{0} "
        "LIMIT {2}) first ORDER BY place DESC OFFSET 0) last WHERE moved.ctid = last.place",
        PQgetvalue(read.get(), row, 0), PQgetvalue(read.get(), row, 1), k_rows_to_move);
  }
  move +=
      "; SET LOCAL session_replication_role TO DEFAULT; SET LOCAL enable_hashjoin TO DEFAULT; "
      "SET LOCAL enable_mergejoin TO DEFAULT; SET LOCAL enable_seqscan TO DEFAULT";
  const Answered moved = asked(move);
  if (PQresultStatus(moved.get()) != PGRES_COMMAND_OK) return error_of(moved.get());
  return std::nullopt;
}

/// pg_type.typcategory, as people say it.
Result<void> TimedSession::name_kinds(QueryAnswer& answer, const std::vector<Oid>& types) {
  for (std::size_t at = 0; at < answer.columns.size() && at < types.size(); ++at) {
    auto known = m_kinds.find(types[at]);
    if (known == m_kinds.end()) {
      const auto rows = m_connection.rows(
          "SELECT CASE typcategory WHEN 'N' THEN 'number' WHEN 'S' THEN 'string' WHEN 'X' THEN 'string' WHEN "
          "'D' THEN "
          "'date or time' WHEN 'T' THEN 'interval' WHEN 'B' THEN 'boolean' WHEN 'A' THEN 'array' WHEN 'E' "
          "THEN 'string' "
          "ELSE format_type(oid, NULL) END FROM pg_type WHERE oid = $1",
          {std::to_string(types[at])});
      if (!rows) return failed(rows);
      known = m_kinds.emplace(types[at], rows->empty() ? "" : (*rows)[0][0].value_or("")).first;
    }
    auto& column = answer.columns[at];
    column.kind = column.floating ? "floating-point number" : known->second;
  }
  return {};
}

/// In a transaction that was begun, and is ended here.
Result<QueryAnswer> TimedSession::take_answer(const Parameters& parameters) {
  QueryAnswer answer;
  AnswerKeeper keeper(answer);
  std::vector<Oid> types;
  std::vector<const char*> values;
  std::vector<std::size_t> lengths;
  answer.error = run(parameters, [&](const PGresult* result) {
    // "INSERT 0 3": of a read it is the rows that were read.
    const std::string_view tag = PQcmdStatus(const_cast<PGresult*>(result));
    if (!tag.empty() && !tag.starts_with("SELECT")) {
      if (const std::string count = PQcmdTuples(const_cast<PGresult*>(result)); !count.empty())
        answer.changed = std::stoll(count);
    }
    const int columns = PQnfields(result);
    if (answer.columns.empty()) {
      for (int at = 0; at < columns; ++at) {
        types.push_back(PQftype(result, at));
        auto& column = answer.columns.emplace_back();
        column.name = PQfname(result, at);
        column.floating = std::ranges::find(k_floating, types.back()) != k_floating.end();
        column.single = types.back() == k_floating.front();
      }
    }
    for (int row = 0; row < PQntuples(result); ++row) {
      values.clear();
      lengths.clear();
      for (int at = 0; at < columns; ++at) {
        values.push_back(PQgetisnull(result, row, at) != 0 ? nullptr : PQgetvalue(result, row, at));
        lengths.push_back(static_cast<std::size_t>(PQgetlength(result, row, at)));
      }
      keeper.add(values, lengths);
    }
  });
  if (interrupted()) return failed_by_interrupt();
  if (m_gave_up || PQstatus(handle()) != CONNECTION_OK) {
    const auto error = revive();
    if (!error) return failed(error);
    answer.error = *error;
    return answer;
  }
  // Constraints that wait for COMMIT would stop it there, and this transaction never gets so far.
  if (!answer.error && m_begin == "BEGIN") {
    const Answered checked(PQexec(handle(), "SET CONSTRAINTS ALL IMMEDIATE"));
    if (PQresultStatus(checked.get()) != PGRES_COMMAND_OK) answer.error = error_of(checked.get());
  }
  if (const auto ended = close(); !ended) return failed(ended);
  if (const auto named = name_kinds(answer, types); !named) return failed(named);
  return answer;
}

const record::SqlError* TimedSession::execute(const Parameters& parameters) {
  m_error = run(parameters, [](const PGresult*) {});
  if (!m_error && (m_gave_up || PQstatus(handle()) != CONNECTION_OK))
    m_error = record::SqlError{"08006", "the session is lost", "", "", ""};
  return m_error ? &*m_error : nullptr;
}

/// EXECUTE takes the values as literals of unknown type, which the statement's parameters give theirs.
std::string TimedSession::call(const Parameters& parameters) const {
  std::string text = fmt::format("EXECUTE {}", k_statement);
  if (parameters.empty()) return text;
  std::vector<std::string> values;
  for (const auto& value : parameters) values.push_back(value ? m_connection.quoted_text(*value) : "NULL");
  return fmt::format("{}({})", text, join(values, ", "));
}

/// The tables on which this transaction has locks; views are not among them.
Result<std::vector<std::string>> TimedSession::tables_touched() {
  const auto rows = m_connection.rows(
      "SELECT DISTINCT c.oid::regclass::text FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE "
      "l.pid = "
      "pg_backend_pid() AND l.locktype = 'relation' AND c.relkind IN ('r', 'm') AND c.oid >= 16384 ORDER BY "
      "1");
  if (!rows) return failed(rows);
  std::vector<std::string> tables;
  for (const auto& row : *rows) tables.push_back(row[0].value_or(""));
  return tables;
}

Result<QuerySession::Explained> TimedSession::explain(const Parameters& parameters) {
  Explained explained;
  explained.error = wrong_number(parameters);
  if (explained.error) return explained;
  if (const auto begun = open(); !begun) return failed(begun);
  const auto since = SteadyClock::now();
  const auto counted = m_connection.ask(
      "EXPLAIN (ANALYZE, BUFFERS, WAL, TIMING OFF, SUMMARY OFF, FORMAT JSON) " + call(parameters));
  if (!counted) return failed(counted);
  if (counted->sqlstate.empty()) {
    if (const auto read = read_plan(*counted, parameters, explained); !read) return failed(read);
  } else {
    explained.error =
        as_of_limit({counted->sqlstate, counted->message, counted->detail, "", counted->context}, since);
  }
  if (const auto ended = close(); !ended) return failed(ended);
  return explained;
}

/// What is no query (SHOW, CALL), and one that a rule does nothing instead of, have no plan.
Result<void> TimedSession::read_plan(const Connection::Answered& counted, const Parameters& parameters,
                                     Explained& explained) {
  const Json tree = Json::parse(counted.rows.at(0).at(0).value_or("[]"), nullptr, false);
  if (!tree.is_array() || tree.empty() || !tree[0].contains("Plan")) {
    explained.error = record::SqlError{"0A000", "the server has no plan for it", "", "", ""};
    return {};
  }
  const Json& root = tree[0]["Plan"];
  read_node(root, 0, explained.plan);
  explained.plan.buffers = explained.plan.nodes.front().buffers;
  explained.plan.wal_bytes = number(root, "WAL Bytes");
  auto tables = tables_touched();
  if (!tables) return failed(tables);
  explained.tables = std::move(*tables);
  if (const auto added = add_parents(explained.plan); !added) return added;
  // What it has done in this transaction may be in its own way.
  const auto lines = m_connection.ask("EXPLAIN (COSTS OFF) " + call(parameters));
  if (!lines) return failed(lines);
  std::vector<std::string> text;
  for (const auto& line : lines->rows) text.push_back(line[0].value_or(""));
  explained.plan.text = join(text, "\n");
  return {};
}

/// Of a partitioned table people know the parent's index, and plans name the partition's.
Result<void> TimedSession::add_parents(record::QueryPlan& plan) {
  if (plan.indexes.empty()) return {};
  std::vector<std::string> names;
  for (const std::string& index : plan.indexes) names.push_back(m_connection.quoted_text(index));
  const auto parents =
      m_connection.ask(fmt::format("SELECT DISTINCT root.relname FROM pg_class c JOIN pg_class root ON "
                                   "root.oid = pg_partition_root(c.oid) WHERE "
                                   "c.relkind = 'i' AND c.relispartition AND c.relname IN ({}) ORDER BY 1",
                                   join(names, ", ")));
  if (!parents) return failed(parents);
  for (const auto& row : parents->rows) plan.indexes.push_back(row[0].value_or(""));
  return {};
}

Result<bool> TimedSession::are_empty(const std::vector<std::string>& tables) {
  for (const std::string& table : tables) {
    const auto rows = m_connection.rows(fmt::format("SELECT EXISTS (SELECT FROM {})", table));
    if (!rows) return failed(rows);
    if ((*rows)[0][0] == "t") return false;
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<QuerySession>> open_query_session(const std::string& connection,
                                                         const QuerySettings& settings,
                                                         bool on_this_machine) {
  auto opened = Connection::open(connection);
  if (!opened) return failed(opened);
  auto session = std::make_unique<TimedSession>(std::move(*opened), settings, on_this_machine);
  if (const auto ready = session->set_up(); !ready) return failed(ready);
  return session;
}

}  // namespace lockkeeper::engine::postgres
