#include "engine/sqlite/probe.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/interrupt.h"
#include "base/text.h"
#include "engine/attributes.h"
#include "engine/comparison.h"
#include "engine/sqlite/schema.h"
#include "engine/sqlite/schema_text.h"

namespace lockkeeper::engine::sqlite {

namespace {

using Held = Instance::Held;
using Rows = std::vector<Database::Row>;
using SteadyClock = std::chrono::steady_clock;

/// A number is bound as one: compared with a column without affinity '1' would not be 1.
void bind(Statement& statement, int at, const std::optional<std::string>& value) {
  if (!value) {
    sqlite3_bind_null(statement.get(), at);
    return;
  }
  const char* const end = value->data() + value->size();
  std::int64_t whole = 0;
  double real = 0;
  if (const auto read = std::from_chars(value->data(), end, whole);
      read.ec == std::errc() && read.ptr == end) {
    sqlite3_bind_int64(statement.get(), at, whole);
  } else if (const auto more = std::from_chars(value->data(), end, real);
             more.ec == std::errc() && more.ptr == end) {
    sqlite3_bind_double(statement.get(), at, real);
  } else {
    sqlite3_bind_text(statement.get(), at, value->data(), static_cast<int>(value->size()), SQLITE_TRANSIENT);
  }
}

/// All statements of the text, the parameters bound to each that has them; the rows of the last.
std::optional<record::SqlError> run_query(Database& database, const QueryRequest& request,
                                          const std::string& prefix, Rows* rows) {
  const std::string text = prefix + request.sql;
  std::string_view rest = text;
  while (!trimmed(rest).empty()) {
    auto statement = database.prepare(rest, &rest);
    if (!statement) return statement.error();
    if (statement->is_empty()) continue;
    const auto wanted = static_cast<std::size_t>(sqlite3_bind_parameter_count(statement->get()));
    for (std::size_t i = 0; i < std::min(wanted, request.parameters.size()); ++i)
      bind(*statement, static_cast<int>(i) + 1, request.parameters[i]);
    if (rows != nullptr) rows->clear();
    int code = statement->step();
    for (; code == SQLITE_ROW; code = statement->step()) {
      if (rows == nullptr) continue;
      auto& row = rows->emplace_back();
      for (int i = 0; i < statement->columns(); ++i)
        row.push_back(statement->is_null(i) ? std::nullopt : std::optional(statement->text(i)));
    }
    if (code != SQLITE_DONE) return database.last_error();
  }
  return std::nullopt;
}

/// Deferred foreign keys would stop it at COMMIT, and this transaction never gets so far.
std::optional<record::SqlError> broken_key(Database& database) {
  if (!database.in_transaction()) return std::nullopt;
  const auto on = database.value("PRAGMA foreign_keys");
  int pending = 0;
  int unused = 0;
  sqlite3_db_status(database.get(), SQLITE_DBSTATUS_DEFERRED_FKS, &pending, &unused, 0);
  if (!on || *on != "1" || pending == 0) return std::nullopt;
  return record::SqlError{"SQLITE_CONSTRAINT_FOREIGNKEY", "FOREIGN KEY constraint failed", "", "", ""};
}

/// In a transaction that is rolled back; a signal is a failure.
template <typename Work>
Result<std::optional<record::SqlError>> rolled_back(Database& database, Work work) {
  if (auto error = database.execute("BEGIN")) return tl::unexpected<Failure>(database.failure(*error));
  auto error = work();
  if (!error) error = broken_key(database);
  if (database.in_transaction()) database.execute("ROLLBACK");
  if (interrupted()) return failed_by_interrupt();
  return error;
}

/// The index that a line of EXPLAIN QUERY PLAN names: "SEARCH t USING COVERING INDEX i (a=?)".
std::string index_in(const std::string& detail) {
  constexpr std::string_view k_mark = "INDEX ";
  const std::size_t at = detail.find(k_mark);
  if (at == std::string::npos || detail.find("AUTOMATIC") != std::string::npos) return {};
  const std::string rest = detail.substr(at + k_mark.size());
  return rest.substr(0, rest.find(" ("));
}

/// The table that it reads whole: "SCAN t", and not "SCAN t USING INDEX i" nor a subquery.
std::string table_scanned(const std::string& detail) {
  constexpr std::string_view k_mark = "SCAN ";
  if (!detail.starts_with(k_mark) || detail.find(" USING ") != std::string::npos) return {};
  const std::string rest = detail.substr(k_mark.size());
  if (rest.starts_with("CONSTANT") || rest.starts_with("(")) return {};
  return rest.substr(0, rest.find(" VIRTUAL"));
}

Result<Catalog> catalog_of(Database& database) {
  return read_catalog(database, Lineage(), {});
}

/// Is the object named so: alone, or behind its table?
bool is_named(const Object& object, const std::string& name) {
  const std::string wanted = lower(name);
  const std::string identity = lower(object.identity);
  const std::string prefix = object.parent.empty() ? "" : lower(object.parent) + ".";
  return wanted == identity || wanted == prefix + identity ||
         (!prefix.empty() && identity.starts_with(prefix) && wanted == identity.substr(prefix.size()));
}

Result<std::optional<Object>> find_object(Database& database, const std::string& kind,
                                          const std::string& name) {
  const auto catalog = catalog_of(database);
  if (!catalog) return failed(catalog);
  for (const Object& object : catalog->objects) {
    if (object.kind == kind && is_named(object, name)) return std::optional(object);
  }
  return std::optional<Object>();
}

/// "cascade" of "… ON DELETE CASCADE …".
std::string reaction(const std::string& definition, const std::string& mark) {
  const std::size_t at = definition.find(mark);
  if (at == std::string::npos) return "no action";
  const std::string rest = lower(definition.substr(at + mark.size()));
  for (const char* action : {"cascade", "restrict", "set null", "set default"}) {
    if (rest.starts_with(action)) return action;
  }
  return "no action";
}

std::optional<std::string> in_lower_case(const std::optional<std::string>& text) {
  return text ? std::optional(lower(*text)) : std::nullopt;
}

}  // namespace

Result<Answer> try_query(Database& database, const QueryRequest& request) {
  Answer answer;
  auto error = rolled_back(database, [&] {
    for (const std::string& statement : request.before) {
      if (auto failure = run_query(database, {statement, {}}, "", nullptr)) return failure;
    }
    return run_query(database, request, "", &answer.rows);
  });
  if (!error) return failed(error);
  answer.error = std::move(*error);
  return answer;
}

Result<Instance::Planned> plan(Database& database, const QueryRequest& request) {
  Instance::Planned planned;
  Rows rows;
  auto error =
      rolled_back(database, [&] { return run_query(database, request, "EXPLAIN QUERY PLAN ", &rows); });
  if (!error) return failed(error);
  planned.error = std::move(*error);
  std::map<std::string, std::string> indents;  // by the id of a line
  for (const Database::Row& row : rows) {
    if (row.size() < 4) continue;
    const std::string detail = row[3].value_or("");
    const std::string indent = indents[row[1].value_or("")];
    indents[row[0].value_or("")] = indent + "  ";
    planned.plan.text += (planned.plan.text.empty() ? "" : "\n") + indent + detail;
    if (std::string index = index_in(detail); !index.empty())
      planned.plan.indexes.push_back(std::move(index));
    if (std::string table = table_scanned(detail); !table.empty())
      planned.plan.sequential_scans.push_back(std::move(table));
  }
  return planned;
}

Result<double> time_query(Database& database, const QueryRequest& request) {
  double milliseconds = 0;
  const auto error = rolled_back(database, [&] {
    const auto start = SteadyClock::now();
    auto failure = run_query(database, request, "", nullptr);
    milliseconds = std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count();
    return failure;
  });
  if (!error) return failed(error);
  if (*error) return tl::unexpected<Failure>(database.failure(**error));
  return milliseconds;
}

Result<bool> is_ambiguous(Database& database, const QueryRequest& request) {
  std::vector<Rows> answers;
  for (const char* reversed : {"OFF", "ON"}) {
    database.execute(fmt::format("PRAGMA reverse_unordered_selects = {}", reversed));
    Rows rows;
    const auto error = rolled_back(database, [&] { return run_query(database, request, "", &rows); });
    database.execute("PRAGMA reverse_unordered_selects = OFF");
    if (!error) return failed(error);
    if (*error) return tl::unexpected<Failure>(database.failure(**error));
    std::ranges::sort(rows);
    answers.push_back(std::move(rows));
  }
  return answers[0] != answers[1];
}

Result<Held> check_column(Database& database, const std::string& column, const std::optional<bool>& nullable,
                          const std::optional<std::string>& type,
                          const std::optional<std::string>& default_value, bool exists) {
  const auto found = find_object(database, "column", column);
  if (!found) return failed(found);
  if (!*found || !exists) return held_by_being(found->has_value(), exists, "column");
  const Attributes attributes = parse_attributes((*found)->attributes);
  Comparison comparison;
  comparison.expect("nullable", as_text(nullable), value_of(attributes, "nullable"));
  comparison.expect("type", in_lower_case(type), lower(value_of(attributes, "type")));
  comparison.expect("default", default_value ? std::optional(normalised(*default_value)) : std::nullopt,
                    value_of(attributes, "default"));
  return comparison.result();
}

Result<Held> check_constraint(Database& database, const std::string& constraint,
                              const std::optional<std::string>& on_delete,
                              const std::optional<std::string>& on_update,
                              const std::optional<bool>& validated, bool exists) {
  const auto found = find_object(database, "constraint", constraint);
  if (!found) return failed(found);
  if (!*found || !exists) return held_by_being(found->has_value(), exists, "constraint");
  const std::string definition = value_of(parse_attributes((*found)->attributes), "definition");
  Comparison comparison;
  comparison.expect("on_delete", in_lower_case(on_delete), reaction(definition, " ON DELETE "));
  comparison.expect("on_update", in_lower_case(on_update), reaction(definition, " ON UPDATE "));
  comparison.expect("validated", as_text(validated), "true");
  return comparison.result();
}

Result<Held> check_index(Database& database, const std::string& index,
                         const std::vector<std::string>& columns, const std::optional<bool>& unique,
                         const std::optional<bool>& valid, bool exists) {
  const auto found = find_object(database, "index", index);
  if (!found) return failed(found);
  if (!*found || !exists) return held_by_being(found->has_value(), exists, "index");
  const Attributes facts = parse_attributes((*found)->facts);
  Comparison comparison;
  comparison.expect("columns", columns.empty() ? std::nullopt : std::optional(join(columns, ", ")),
                    join(split(value_of(facts, "columns"), '\n'), ", "));
  comparison.expect("unique", as_text(unique), value_of(facts, "unique").empty() ? "false" : "true");
  comparison.expect("valid", as_text(valid), "true");
  return comparison.result();
}

}  // namespace lockkeeper::engine::sqlite
