#include "engine/sqlite/probe.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/attributes.h"
#include "engine/comparison.h"
#include "engine/sqlite/query_plan.h"
#include "engine/sqlite/rolled_back.h"
#include "engine/sqlite/schema.h"
#include "engine/sqlite/schema_text.h"

namespace lockkeeper::engine::sqlite {

namespace {

using Held = Instance::Held;
using Rows = std::vector<Database::Row>;

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
    for (std::size_t i = 0; i < std::min(wanted, request.parameters.size()); ++i) {
      if (statement->bind(static_cast<int>(i) + 1, request.parameters[i]) != SQLITE_OK)
        return database.last_error();
    }
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
  planned.plan = plan_of(rows);
  planned.plan.nodes.clear();  // nothing was executed
  return planned;
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
