#include "sql/parse_tree.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace lockkeeper::sql {

namespace {

using nlohmann::json;
using Kind = ParameterUse::Kind;

constexpr int k_most_parameters = 65535;  // that a message of the protocol can carry

const json& part(const json& node, const char* key) {
  static const json k_none;
  const auto found = node.is_object() ? node.find(key) : node.end();
  return node.is_object() && found != node.end() ? *found : k_none;
}

std::string text_of(const json& node, const char* key) {
  const json& value = part(node, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

/// The strings of a list of String nodes; "" for what is another (the star of `t.*`).
std::vector<std::string> strings(const json& list) {
  std::vector<std::string> texts;
  if (!list.is_array()) return texts;
  for (const json& item : list) texts.push_back(text_of(part(item, "String"), "sval"));
  return texts;
}

std::string operator_of(const json& expression) {
  const auto name = strings(part(expression, "name"));
  return name.empty() ? std::string() : name.back();
}

/// Beneath casts, since `$1::uuid` is `$1` for our purpose.
const json& without_casts(const json& node) {
  const json* inner = &node;
  while (!part(*inner, "TypeCast").is_null()) inner = &part(part(*inner, "TypeCast"), "arg");
  return *inner;
}

/// The number of a `$n`, casts around it or not; 0 for anything else.
int parameter(const json& node) {
  const json& reference = part(without_casts(node), "ParamRef");
  const json& number = part(reference, "number");
  return number.is_number_integer() ? number.get<int>() : 0;
}

struct Relation {
  std::string alias;
  std::string table;  ///< as SQL writes it; empty: no table (a subquery, a function, a WITH)
  int id = 0;
};

/// The relations that a column of one level of a statement may belong to.
struct Scope {
  const Scope* outer = nullptr;
  std::vector<Relation> relations;
  std::set<std::string> withs;  ///< names that WITH gives
};

struct Column {
  Relation relation;
  std::string name;
  std::string value;  ///< as SQL writes it, without an alias
};

class TreeReader {
 public:
  explicit TreeReader(QueryFacts& facts) : m_facts(facts) {}

  void read(const json& statement) {
    m_facts.verb = verb_of(statement);
    if (m_facts.verb == QueryFacts::Verb::utility) return;
    walk(statement, {});
    m_facts.touches_nothing = !m_any_table && !m_catalog && !m_own_function;
    m_facts.on_catalogs_only = m_catalog && !m_any_table && !m_own_function;
    for (const auto& [number, use] : m_uses) {
      if (number < 1 || number > k_most_parameters) continue;
      if (m_facts.parameters.size() < static_cast<std::size_t>(number))
        m_facts.parameters.resize(static_cast<std::size_t>(number));
      m_facts.parameters[static_cast<std::size_t>(number) - 1] = use;
    }
  }

 private:
  using Verb = QueryFacts::Verb;

  static Verb verb_of(const json& statement) {
    const json& select = part(statement, "SelectStmt");
    if (!select.is_null()) return part(select, "intoClause").is_null() ? Verb::select : Verb::utility;
    if (!part(statement, "InsertStmt").is_null()) return Verb::insert;
    if (!part(statement, "UpdateStmt").is_null()) return Verb::update;
    if (!part(statement, "DeleteStmt").is_null()) return Verb::remove;
    if (!part(statement, "MergeStmt").is_null()) return Verb::merge;
    return Verb::utility;
  }

  // Nodes stand as {"Type": {…}} where a field may hold any type, and bare where it can hold one.
  void walk(const json& node, const Scope& scope) {
    if (node.is_array()) {
      for (const json& item : node) walk(item, scope);
      return;
    }
    if (!node.is_object()) return;
    for (const auto& [key, value] : node.items()) {
      if (key == "SelectStmt" || key == "larg" || key == "rarg") {
        select(value, scope);
      } else if (key == "InsertStmt") {
        insert(value, scope);
      } else if (key == "UpdateStmt" || key == "DeleteStmt" || key == "MergeStmt") {
        change(value, scope);
      } else if (key == "withClause") {
        // Its members are walked where their names are known: level().
      } else {
        if (key == "A_Expr") compare(value, scope);
        if (key == "ParamRef") m_uses.try_emplace(parameter({{"ParamRef", value}}));
        if (key == "FuncCall") call(value);
        walk(value, scope);
      }
    }
  }

  /// A level of its own below `outer`, with what its WITH and FROM name.
  Scope level(const json& statement, const Scope& outer, std::initializer_list<const char*> sources) {
    Scope scope;
    scope.outer = &outer;
    scope.withs = outer.withs;
    for (const json& item : list_of(part(part(statement, "withClause"), "ctes"))) {
      const json& with = part(item, "CommonTableExpr");
      scope.withs.insert(text_of(with, "ctename"));
    }
    for (const json& item : list_of(part(part(statement, "withClause"), "ctes")))
      walk(part(part(item, "CommonTableExpr"), "ctequery"), scope);
    for (const char* source : sources) relations_of(part(statement, source), scope);
    return scope;
  }

  static const json& list_of(const json& node) {
    static const json k_empty = json::array();
    return node.is_array() ? node : k_empty;
  }

  void relations_of(const json& node, Scope& scope) {
    if (node.is_array()) {
      for (const json& item : node) relations_of(item, scope);
    } else if (!part(node, "relname").is_null()) {
      table(node, scope);
    } else if (!part(node, "RangeVar").is_null()) {
      table(part(node, "RangeVar"), scope);
    } else if (const json& join = part(node, "JoinExpr"); !join.is_null()) {
      relations_of(part(join, "larg"), scope);
      relations_of(part(join, "rarg"), scope);
    } else if (node.is_object()) {
      for (const auto& [type, source] : node.items())
        scope.relations.push_back({text_of(part(source, "alias"), "aliasname"), "", ++m_relations});
    }
  }

  void table(const json& node, Scope& scope) {
    const std::string name = text_of(node, "relname");
    const std::string schema = text_of(node, "schemaname");
    const std::string alias = text_of(part(node, "alias"), "aliasname");
    Relation relation{alias.empty() ? name : alias, "", ++m_relations};
    const bool with = schema.empty() && scope.withs.contains(name);
    const bool catalog = schema == "pg_catalog" || schema == "information_schema" ||
                         (schema.empty() && name.starts_with("pg_"));
    if (catalog) {
      m_catalog = true;
    } else if (!with) {
      m_any_table = true;
      relation.table = (schema.empty() ? "" : quoted_name(schema) + ".") + quoted_name(name);
      auto& tables = m_facts.tables;
      if (std::find(tables.begin(), tables.end(), name) == tables.end()) tables.push_back(name);
    }
    scope.relations.push_back(std::move(relation));
  }

  void select(const json& node, const Scope& outer) {
    const Scope scope = level(node, outer, {"fromClause"});
    note(part(node, "limitCount"), Kind::limit);
    note(part(node, "limitOffset"), Kind::offset);
    walk(node, scope);
  }

  void note(const json& value, Kind kind) {
    if (const int number = parameter(value)) use(number, {kind, -1, "", "", ""});
  }

  void insert(const json& node, const Scope& outer) {
    const Scope scope = level(node, outer, {"relation"});
    m_facts.may_conflict = part(node, "onConflictClause").is_null();
    const Relation target = scope.relations.empty() ? Relation() : scope.relations[0];
    std::vector<std::string> columns;
    for (const json& item : list_of(part(node, "cols")))
      columns.push_back(text_of(part(item, "ResTarget"), "name"));
    const json& source = part(part(node, "selectStmt"), "SelectStmt");
    for (const json& row : list_of(part(source, "valuesLists")))
      insert_row(list_of(part(part(row, "List"), "items")), columns, target);
    std::vector<json> values;
    for (const json& item : list_of(part(source, "targetList")))
      values.push_back(part(part(item, "ResTarget"), "val"));
    insert_row(json(values), columns, target);
    assign(part(part(node, "onConflictClause"), "targetList"), target, Kind::inserted);
    walk(node, scope);
  }

  void insert_row(const json& values, const std::vector<std::string>& columns, const Relation& target) {
    for (std::size_t i = 0; i < values.size() && i < columns.size(); ++i) {
      if (const int number = parameter(values[i])) use_column(number, Kind::inserted, target, columns[i]);
    }
  }

  void assign(const json& targets, const Relation& target, Kind kind) {
    for (const json& item : list_of(targets)) {
      const json& assignment = part(item, "ResTarget");
      const int number = parameter(part(assignment, "val"));
      if (number != 0) use_column(number, kind, target, text_of(assignment, "name"));
    }
  }

  void change(const json& node, const Scope& outer) {
    const Scope scope = level(node, outer, {"relation", "fromClause", "usingClause", "sourceRelation"});
    if (!scope.relations.empty()) assign(part(node, "targetList"), scope.relations[0], Kind::assigned);
    walk(node, scope);
  }

  void call(const json& node) {
    static const std::set<std::string> k_servers_own = {"now",
                                                        "version",
                                                        "current_schema",
                                                        "current_schemas",
                                                        "current_database",
                                                        "current_setting",
                                                        "set_config",
                                                        "to_regclass",
                                                        "txid_current",
                                                        "row_to_json",
                                                        "json_agg",
                                                        "count",
                                                        "format",
                                                        "coalesce",
                                                        "generate_series",
                                                        "random",
                                                        "length",
                                                        "lower",
                                                        "upper",
                                                        "array_agg",
                                                        "string_agg",
                                                        "clock_timestamp",
                                                        "statement_timestamp"};
    const auto name = strings(part(node, "funcname"));
    if (name.size() != 1) {
      m_own_function = m_own_function || (name.size() == 2 && name[0] != "pg_catalog");
    } else if (!name[0].starts_with("pg_") && !k_servers_own.contains(name[0])) {
      m_own_function = true;
    }
  }

  void compare(const json& node, const Scope& scope) {
    const std::string kind = text_of(node, "kind");
    const std::string name = operator_of(node);
    const json& left = part(node, "lexpr");
    const json& right = part(node, "rexpr");
    if (kind == "AEXPR_OP" || kind == "AEXPR_DISTINCT" || kind == "AEXPR_NOT_DISTINCT") {
      pair(left, right, name, scope);
    } else if (kind == "AEXPR_OP_ANY" || kind == "AEXPR_OP_ALL") {
      if (name == "=" || name == "<>") hold(right, left, Kind::list, scope);
    } else if (kind == "AEXPR_IN") {
      for (const json& item : list_of(part(part(right, "List"), "items"))) pair(left, item, "=", scope);
    } else if (kind == "AEXPR_LIKE" || kind == "AEXPR_ILIKE") {
      hold(right, left, Kind::pattern, scope);
    } else if (kind.starts_with("AEXPR_BETWEEN") || kind.starts_with("AEXPR_NOT_BETWEEN")) {
      const json& ends = list_of(part(part(right, "List"), "items"));
      if (ends.size() != 2) return;
      hold(ends[0], left, Kind::low, scope);
      hold(ends[1], left, Kind::high, scope);
    }
  }

  void pair(const json& left, const json& right, const std::string& name, const Scope& scope) {
    const json& left_row = part(part(left, "RowExpr"), "args");
    const json& right_row = part(part(right, "RowExpr"), "args");
    if (left_row.is_array() && right_row.is_array()) {
      for (std::size_t i = 0; i < left_row.size() && i < right_row.size(); ++i)
        pair(left_row[i], right_row[i], name, scope);
      return;
    }
    static const std::set<std::string> k_equal = {"=", "<>", "@>", "<@", "&&"};
    std::optional<Kind> kind;
    if (k_equal.contains(name)) kind = Kind::equal;
    if (name == ">" || name == ">=") kind = Kind::low;
    if (name == "<" || name == "<=") kind = Kind::high;
    if (!kind) return;
    hold(right, left, *kind, scope);
    if (*kind != Kind::equal) kind = *kind == Kind::low ? Kind::high : Kind::low;
    hold(left, right, *kind, scope);
  }

  void hold(const json& value, const json& side, Kind kind, const Scope& scope) {
    const int number = parameter(value);
    if (number == 0) return;
    const auto column = column_of(side, scope);
    if (column) use(number, {kind, column->relation.id, column->relation.table, column->value, column->name});
  }

  /// A column, with casts, collations and a change of case around it.
  std::optional<Column> column_of(const json& node, const Scope& scope) {
    if (const json& cast = part(node, "TypeCast"); !cast.is_null()) {
      auto column = column_of(part(cast, "arg"), scope);
      const std::string type = type_name(part(cast, "typeName"));
      if (column && !type.empty()) column->value = "(" + column->value + ")::" + type;
      return column;
    }
    if (const json& collation = part(node, "CollateClause"); !collation.is_null())
      return column_of(part(collation, "arg"), scope);
    if (const json& call = part(node, "FuncCall"); !call.is_null()) {
      const auto name = strings(part(call, "funcname"));
      const json& arguments = list_of(part(call, "args"));
      if (arguments.size() != 1 || name.empty() || (name.back() != "lower" && name.back() != "upper"))
        return std::nullopt;
      auto column = column_of(arguments[0], scope);
      if (column) column->value = name.back() + "(" + column->value + ")";
      return column;
    }
    return resolved(strings(part(part(node, "ColumnRef"), "fields")), scope);
  }

  /// Simple types only: what is cut to a length or made an array is left as the column has it.
  static std::string type_name(const json& type) {
    if (part(type, "typmods").is_array() || part(type, "arrayBounds").is_array()) return {};
    std::string text;
    for (const std::string& name : strings(part(type, "names")))
      text += (text.empty() ? "" : ".") + quoted_name(name);
    return text;
  }

  static std::optional<Column> resolved(const std::vector<std::string>& names, const Scope& scope) {
    if (names.empty() || names.back().empty()) return std::nullopt;
    const Scope* at = &scope;
    if (names.size() == 1) {
      // The statement alone does not say which of several tables has a column.
      while (at->relations.empty() && at->outer != nullptr) at = at->outer;
      if (at->relations.size() != 1) return std::nullopt;
      return made(at->relations[0], names.back());
    }
    for (; at != nullptr; at = at->outer) {
      for (const Relation& relation : at->relations) {
        if (relation.alias == names[names.size() - 2]) return made(relation, names.back());
      }
    }
    return std::nullopt;
  }

  static std::optional<Column> made(const Relation& relation, const std::string& name) {
    if (relation.table.empty()) return std::nullopt;
    return Column{relation, name, quoted_name(name)};
  }

  void use_column(int number, Kind kind, const Relation& target, const std::string& name) {
    if (!target.table.empty() && !name.empty())
      use(number, {kind, target.id, target.table, quoted_name(name), name});
  }

  /// The first that tells something counts: `$1 IS NULL OR a = $1`.
  void use(int number, ParameterUse found) {
    ParameterUse& known = m_uses[number];
    if (known.kind == Kind::unknown) known = std::move(found);
  }

  QueryFacts& m_facts;
  std::map<int, ParameterUse> m_uses;
  int m_relations = 0;
  bool m_any_table = false;
  bool m_catalog = false;
  bool m_own_function = false;
};

/// A cast by its type in front: bytes [type, parameter) are the type's.
struct Prefix {
  std::size_t type = 0;
  std::size_t parameter = 0;
};

void find_prefixes(const json& node, std::vector<Prefix>& prefixes) {
  if (!node.is_structured()) return;
  for (const auto& [key, value] : node.items()) {
    // Of CAST(…) and :: the place of the cast itself is known, of `type value` it is not.
    if (key == "TypeCast" && part(value, "location") == -1) {
      const json& type = part(part(value, "typeName"), "location");
      const json& parameter = part(part(part(value, "arg"), "ParamRef"), "location");
      if (type.is_number_unsigned() && parameter.is_number_unsigned())
        prefixes.push_back({type.get<std::size_t>(), parameter.get<std::size_t>()});
    }
    find_prefixes(value, prefixes);
  }
}

}  // namespace

void read_parse_tree(const json& statement, QueryFacts& facts) {
  TreeReader(facts).read(statement);
}

std::string with_casts(const json& statement, const std::string& text) {
  std::vector<Prefix> prefixes;
  find_prefixes(statement, prefixes);
  std::sort(prefixes.begin(), prefixes.end(),
            [](const Prefix& a, const Prefix& b) { return a.type > b.type; });
  std::string mended = text;
  for (const Prefix& prefix : prefixes) {
    if (prefix.type >= prefix.parameter || prefix.parameter >= text.size()) continue;
    std::size_t end = prefix.parameter + 1;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
    const std::string type = trimmed(text.substr(prefix.type, prefix.parameter - prefix.type));
    mended.replace(prefix.type, end - prefix.type,
                   text.substr(prefix.parameter, end - prefix.parameter) + "::" + type);
  }
  return mended;
}

}  // namespace lockkeeper::sql
