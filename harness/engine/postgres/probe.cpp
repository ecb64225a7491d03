#include "engine/postgres/probe.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <pqxx/pqxx>

#include "base/interrupt.h"
#include "base/text.h"
#include "engine/comparison.h"
#include "engine/postgres/connection.h"

namespace lockkeeper::engine::postgres {

namespace {

using Held = Instance::Held;
using AnswerRows = decltype(Answer::rows);

AnswerRows rows_of(const pqxx::result& result) {
  AnswerRows rows;
  for (const auto& row : result) {
    auto& values = rows.emplace_back();
    for (const auto& field : row) {
      values.push_back(field.is_null() ? std::nullopt : std::optional<std::string>(field.c_str()));
    }
  }
  return rows;
}

/// The server's words without libpq's "ERROR:  " and what follows the first line.
record::SqlError error_of(const pqxx::sql_error& error) {
  std::string text = error.what();
  if (const auto end = text.find('\n'); end != std::string::npos) text.resize(end);
  for (const std::string_view severity : {"ERROR:", "FATAL:", "PANIC:"}) {
    if (text.starts_with(severity)) text = trimmed(std::string_view(text).substr(severity.size()));
  }
  return {error.sqlstate(), text, "", "", ""};
}

std::string deletion_rule(const std::string& code) {
  if (code == "r") return "restrict";
  if (code == "c") return "cascade";
  if (code == "n") return "set null";
  if (code == "d") return "set default";
  return "no action";
}

std::optional<std::string> lower_or_none(const std::optional<std::string>& text) {
  return text ? std::optional<std::string>(lower(*text)) : std::nullopt;
}

void read_plan(const nlohmann::json& node, record::QueryPlan& plan) {
  if (node.contains("Index Name")) plan.indexes.push_back(node["Index Name"].get<std::string>());
  if (node.value("Node Type", "") == "Seq Scan")
    plan.sequential_scans.push_back(node.value("Relation Name", ""));
  if (node.contains("Plans")) {
    for (const auto& child : node["Plans"]) read_plan(child, plan);
  }
}

}  // namespace

#pragma GCC diagnostic push
// Deprecated in late versions of libpqxx 7 for a handler that 6 does not have.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
struct Probe::Session {
  explicit Session(const std::string& options) : connection(options), quiet(connection) {}
  pqxx::connection connection;
  /// libpq would print the server's last words to a session ("terminating connection because of crash of
  /// another server process").
  pqxx::quiet_errorhandler quiet;
};
#pragma GCC diagnostic pop

/// libpqxx connects in one step, so that no handler can be set before: the server keeps silent by itself.
Result<std::string> without_notices(const std::string& connection) {
  const std::string options = parameter_of(connection, "options");
  return with_parameter(connection, "options",
                        options + (options.empty() ? "" : " ") + "-c client_min_messages=error");
}

struct Probe::Work {
  explicit Work(pqxx::connection& connection) : transaction(connection) {}
  pqxx::result exec(const std::string& sql) { return transaction.exec(sql); }
  std::string quote(const std::string& text) { return transaction.quote(text); }
  pqxx::work transaction;
};

Probe::Probe(std::string connection) : m_connection(std::move(connection)) {}
Probe::~Probe() = default;
void Probe::close() {
  m_session.reset();
}

/// Runs `work` in a transaction that is rolled back, in a session that is opened anew where a migration ended
/// it.
Result<void> Probe::in_transaction(const std::function<void(Work&)>& run) {
  for (int attempt = 0;; ++attempt) {
    try {
      if (!m_session) {
        const auto quiet = without_notices(m_connection);
        if (!quiet) return failed(quiet);
        m_session = std::make_unique<Session>(*quiet);
      }
      Work work(m_session->connection);
      run(work);
      return {};
    } catch (const pqxx::broken_connection& error) {
      m_session.reset();
      if (attempt > 0) {
        return failed(FailureKind::environment,
                      fmt::format("cannot ask the database: {}", abridged(error.what(), 300)));
      }
    } catch (const std::exception& error) {
      return failed(FailureKind::environment,
                    fmt::format("cannot ask the database: {}", abridged(error.what(), 300)));
    }
  }
}

/// The same for SQL of the scenario, whose errors are an answer.
Result<std::optional<record::SqlError>> Probe::attempt(const std::function<void(Work&)>& run) {
  std::optional<record::SqlError> error;
  const auto done = in_transaction([&](Work& work) {
    try {
      run(work);
    } catch (const pqxx::broken_connection&) {
      throw;
    } catch (const pqxx::sql_error& refused) {
      error = error_of(refused);
    }
  });
  if (!done) return failed(done);
  return error;
}

/// Prepares the query and returns what executes it, so that parameters reach the planner as a tool would send
/// them.
std::string Probe::executable(Work& work, const QueryRequest& request) {
  if (request.parameters.empty()) return request.sql;
  std::vector<std::string> values;
  for (const auto& parameter : request.parameters) {
    values.push_back(parameter ? work.quote(*parameter) : "NULL");
  }
  work.exec("SET LOCAL plan_cache_mode = force_custom_plan");
  work.exec("DEALLOCATE ALL");
  work.exec("PREPARE lockkeeper_query AS " + request.sql);
  return fmt::format("EXECUTE lockkeeper_query({})", join(values, ", "));
}

Result<Answer> Probe::try_query(const QueryRequest& request) {
  Answer answer;
  bool sent = false;
  bool ends_it = false;
  auto error = attempt([&](Work& work) {
    sent = true;
    work.exec("SAVEPOINT lockkeeper_guard");
    for (const std::string& statement : request.before) work.exec(statement);
    answer.rows = rows_of(work.exec(executable(work, request)));
    // Constraints that wait for COMMIT would stop it there, and this transaction never gets so far.
    work.exec("SET CONSTRAINTS ALL IMMEDIATE");
    try {
      work.exec("RELEASE SAVEPOINT lockkeeper_guard");
    } catch (const pqxx::sql_error&) {  // the transaction is another, or none
      ends_it = true;
    }
  });
  if (ends_it) {
    return failed(FailureKind::usage,
                  fmt::format("'{}' ends the transaction that it is tried in", abridged(request.sql)),
                  "one statement is wanted, without COMMIT or ROLLBACK");
  }
  if (!error) {
    const bool alone = sent && !interrupted() && in_transaction([](Work& work) { work.exec("SELECT 1"); });
    if (!alone) return failed(error);
    answer.error = record::SqlError{"57P01", "it ends the session that it is tried in", "", "", ""};
    return answer;
  }
  answer.error = std::move(*error);
  return answer;
}

Result<Held> Probe::check_column(const std::string& column, const std::optional<bool>& nullable,
                                 const std::optional<std::string>& type,
                                 const std::optional<std::string>& default_value, bool exists) {
  Held held;
  const auto dot = column.rfind('.');
  const std::string table = dot == std::string::npos ? "" : column.substr(0, dot);
  const std::string name = dot == std::string::npos ? column : column.substr(dot + 1);
  const auto done = in_transaction([&](Work& work) {
    const auto rows = rows_of(work.exec(fmt::format(
        "SELECT NOT a.attnotnull, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid) "
        "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = "
        "c.relnamespace "
        "LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
        "WHERE a.attnum > 0 AND NOT a.attisdropped AND {0} IN (a.attname, quote_ident(a.attname)) AND ("
        "(pg_table_is_visible(c.oid) AND {1} IN (c.relname, quote_ident(c.relname))) OR "
        "{1} IN (n.nspname || '.' || c.relname, quote_ident(n.nspname) || '.' || quote_ident(c.relname)))",
        work.quote(name), work.quote(table))));
    if (rows.empty() || !exists) {
      held = held_by_being(!rows.empty(), exists, "column");
      return;
    }
    Comparison comparison;
    comparison.expect("nullable", as_text(nullable), *rows[0][0] == "t" ? "true" : "false");
    comparison.expect("type", type, *rows[0][1]);
    comparison.expect("default", default_value, rows[0][2].value_or(""));
    held = comparison.result();
  });
  if (!done) return failed(done);
  return held;
}

Result<Held> Probe::check_constraint(const std::string& constraint,
                                     const std::optional<std::string>& on_delete,
                                     const std::optional<std::string>& on_update,
                                     const std::optional<bool>& validated, bool exists) {
  Held held;
  const auto done = in_transaction([&](Work& work) {
    const auto rows = rows_of(work.exec(fmt::format(
        "SELECT confdeltype, confupdtype, convalidated FROM pg_constraint c "
        "LEFT JOIN pg_class t ON t.oid = c.conrelid LEFT JOIN pg_namespace n ON n.oid = c.connamespace "
        "WHERE {0} IN (c.conname, quote_ident(c.conname), t.relname || '.' || c.conname, "
        "n.nspname || '.' || t.relname || '.' || c.conname) ORDER BY c.oid",
        work.quote(constraint))));
    if (rows.empty() || !exists) {
      held = held_by_being(!rows.empty(), exists, "constraint");
      return;
    }
    Comparison comparison;
    comparison.expect("on_delete", lower_or_none(on_delete), deletion_rule(*rows[0][0]));
    comparison.expect("on_update", lower_or_none(on_update), deletion_rule(*rows[0][1]));
    comparison.expect("validated", as_text(validated), *rows[0][2] == "t" ? "true" : "false");
    held = comparison.result();
  });
  if (!done) return failed(done);
  return held;
}

Result<Held> Probe::check_index(const std::string& index, const std::vector<std::string>& columns,
                                const std::optional<bool>& unique, const std::optional<bool>& valid,
                                bool exists) {
  Held held;
  const auto done = in_transaction([&](Work& work) {
    const auto rows = rows_of(work.exec(fmt::format(
        "SELECT (SELECT string_agg(coalesce(a.attname, pg_get_indexdef(i.indexrelid, k.position::int, "
        "true)), ', ' "
        "ORDER BY k.position) FROM unnest(i.indkey) WITH ORDINALITY AS k(attnum, position) "
        "LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.attnum > 0 "
        "WHERE k.position <= i.indnkeyatts), i.indisunique, i.indisvalid "
        "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = "
        "c.relnamespace "
        "WHERE {0} IN (c.relname, quote_ident(c.relname), n.nspname || '.' || c.relname) ORDER BY c.oid",
        work.quote(index))));
    if (rows.empty() || !exists) {
      held = held_by_being(!rows.empty(), exists, "index");
      return;
    }
    Comparison comparison;
    comparison.expect("columns", columns.empty() ? std::nullopt : std::optional(join(columns, ", ")),
                      rows[0][0].value_or(""));
    comparison.expect("unique", as_text(unique), *rows[0][1] == "t" ? "true" : "false");
    comparison.expect("valid", as_text(valid), *rows[0][2] == "t" ? "true" : "false");
    held = comparison.result();
  });
  if (!done) return failed(done);
  return held;
}

Result<Instance::Planned> Probe::plan(const QueryRequest& request) {
  Instance::Planned planned;
  auto error = attempt([&](Work& work) {
    const std::string query = executable(work, request);
    const auto json = nlohmann::json::parse(work.exec("EXPLAIN (FORMAT JSON) " + query)[0][0].c_str());
    read_plan(json.at(0).at("Plan"), planned.plan);
    std::vector<std::string> lines;
    for (const auto& row : rows_of(work.exec("EXPLAIN " + query))) lines.push_back(row[0].value_or(""));
    planned.plan.text = join(lines, "\n");
  });
  if (!error) return failed(error);
  planned.error = std::move(*error);
  return planned;
}

}  // namespace lockkeeper::engine::postgres
