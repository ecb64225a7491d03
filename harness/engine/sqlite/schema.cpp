#include "engine/sqlite/schema.h"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/text.h"
#include "engine/sqlite/schema_text.h"

namespace lockkeeper::engine::sqlite {

namespace {

using Json = nlohmann::ordered_json;

std::uint64_t number_of(const std::string& text) {
  // Not 0, which stands for objects whose recreation has no meaning.
  return std::stoull(hash_hex(text).substr(0, 15), nullptr, 16) + 1;
}

bool is_internal(const std::string& name) {
  return name.starts_with("sqlite_");
}

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string lines_of(const std::vector<std::string>& names) {
  return join(names, "\n");
}

std::string in_capitals(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (space && (result.empty() || result.back() == ' ')) continue;
    result += space ? ' ' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return trimmed(result);
}

/// Reads the catalog of one database.
class CatalogReader {
 public:
  CatalogReader(Database& database, const Lineage& lineage, const std::set<std::string>& apart)
      : m_database(database), m_lineage(lineage), m_apart(apart) {}

  Result<Catalog> read() {
    auto schema = read_schema(m_database);
    if (!schema) return failed(schema);
    if (const auto listed = list_tables(); !listed) return failed(listed);
    for (const SchemaEntry& entry : *schema) {
      if (is_left_out(entry)) continue;
      if (const auto added = add(entry); !added) return failed(added);
    }
    if (const auto added = add_database(); !added) return failed(added);
    if (const auto added = add_sequences(); !added) return failed(added);
    std::ranges::sort(m_catalog.objects, {}, [](const Object& o) { return std::tie(o.kind, o.identity); });
    std::ranges::sort(m_catalog.tables, {}, &TableShape::identity);
    return std::move(m_catalog);
  }

 private:
  struct Listed {
    std::string type;  ///< table, virtual, shadow
    bool without_rowid = false;
    bool strict = false;
  };

  Result<void> list_tables() {
    return m_database.each("PRAGMA main.table_list", [this](Statement& row) {
      m_listed[row.text(1)] = {row.text(2), row.number(4) != 0, row.number(5) != 0};
    });
  }

  /// Tables of SQLite's own, of a virtual table's, of a tool's, and what hangs on them.
  bool is_left_out(const SchemaEntry& entry) const {
    const auto listed = m_listed.find(entry.table);
    const bool shadow = listed != m_listed.end() && listed->second.type == "shadow";
    const bool apart = std::ranges::any_of(
        m_apart, [&](const std::string& name) { return lower(name) == lower(entry.table); });
    return is_internal(entry.table) || shadow || apart;
  }

  Result<void> add(const SchemaEntry& entry) {
    if (entry.type == "table") return add_table(entry);
    if (entry.type == "index") return add_index(entry);
    Json attributes;
    attributes["definition"] = normalised(entry.sql);
    const bool trigger = entry.type == "trigger";
    put(entry.type, shown_name(entry.name), trigger ? shown_name(entry.table) : "", attributes);
    return {};
  }

  void put(const std::string& kind, const std::string& identity, const std::string& parent,
           const Json& attributes, std::uint64_t id = 0, const Json& facts = {}) {
    m_catalog.objects.push_back(
        {kind, identity, parent, dumped(attributes), id, facts.is_null() ? "" : dumped(facts)});
  }

  Result<void> add_table(const SchemaEntry& entry) {
    const Listed& listed = m_listed[entry.name];
    const bool is_virtual = listed.type == "virtual";
    const std::string identity = shown_name(entry.name);
    const TableText text = is_virtual ? TableText{} : read_table(entry.sql);
    Json attributes = Json::object();
    if (is_virtual) attributes["definition"] = normalised(entry.sql);
    if (listed.strict) attributes["strict"] = "true";
    if (listed.without_rowid) attributes["without rowid"] = "true";
    if (text.autoincrement) {
      attributes["autoincrement"] = "true";
      m_numbered.push_back(entry.name);
    }
    put("table", identity, "", attributes, m_lineage.id_of("table", entry.name));
    TableShape shape{entry.name, identity, "", is_virtual, {}};
    shape.storage = fmt::format("{}/{}", entry.root_page, hash_hex(entry.sql));
    if (const auto added = add_columns(entry.name, text, shape); !added) return added;
    m_catalog.tables.push_back(std::move(shape));
    add_constraints(entry.name, text);
    return {};
  }

  Result<void> add_columns(const std::string& table, const TableText& text, TableShape& shape) {
    std::vector<std::pair<std::int64_t, std::string>> key;
    const auto done =
        m_database.each(fmt::format("PRAGMA main.table_xinfo({})", quoted_text(table)), [&](Statement& row) {
          const std::string name = row.text(1);
          const std::int64_t hidden = row.number(6);
          if (hidden == 1) return;  // of a virtual table, named in queries alone
          Json attributes;
          attributes["type"] = in_capitals(row.text(2));
          attributes["nullable"] = row.number(3) != 0 ? "false" : "true";
          if (!row.is_null(4)) attributes["default"] = normalised(row.text(4));
          const auto more = text.columns.find(name);
          if (more != text.columns.end()) {
            if (!more->second.collation.empty() && more->second.collation != "BINARY")
              attributes["collation"] = more->second.collation;
            if (!more->second.generated.empty()) attributes["generated"] = more->second.generated;
            if (!more->second.on_conflict.empty() && more->second.on_conflict != "abort")
              attributes["on conflict"] = more->second.on_conflict;
          }
          attributes["position"] = std::to_string(row.number(0) + 1);
          put("column", shape.identity + "." + shown_name(name), shape.identity, attributes);
          shape.columns.push_back({name, in_capitals(row.text(2)), affinity_of(row.text(2))});
          if (row.number(5) > 0) key.emplace_back(row.number(5), name);
        });
    if (!done) return done;
    std::ranges::sort(key);
    for (const auto& [rank, name] : key) m_keys[lower(table)].push_back(name);
    std::ranges::sort(shape.columns, {}, &TableShape::Column::name);
    return {};
  }

  void add_constraints(const std::string& table, const TableText& text) {
    const std::string parent = shown_name(table);
    std::map<std::string, int> known;
    for (TableConstraint constraint : text.constraints) {
      for (std::string& column : constraint.columns) column = declared_name(column);
      std::string name = constraint.name.empty() ? constraint.bare() : shown_name(constraint.name);
      if (const int count = ++known[name]; count > 1) name += fmt::format(" ({})", count);
      Json attributes;
      attributes["definition"] = constraint.definition();
      Json facts;
      constexpr std::string_view k_letters = "pucf";
      facts["contype"] = std::string(1, k_letters[static_cast<std::size_t>(constraint.kind)]);
      facts["columns"] = lines_of(constraint.columns);
      put("constraint", parent + "." + name, parent, attributes, 0, facts);
      if (constraint.kind == TableConstraint::Kind::primary_key) add_rowid_key(table, constraint);
    }
  }

  /// As the column of the last table is declared, however a constraint writes it.
  std::string declared_name(const std::string& column) const {
    for (const TableShape::Column& declared : m_catalog.tables.back().columns) {
      if (lower(declared.name) == lower(column)) return declared.name;
    }
    return column;
  }

  /// INTEGER PRIMARY KEY, and the key of a table WITHOUT ROWID, are the table itself: no index stands for
  /// them, and none is missing.
  void add_rowid_key(const std::string& table, const TableConstraint& key) {
    const TableShape& shape = m_catalog.tables.back();
    const bool whole = m_listed[table].without_rowid;
    const bool rowid =
        key.columns.size() == 1 && std::ranges::any_of(shape.columns, [&](const TableShape::Column& column) {
          return lower(column.name) == lower(key.columns[0]) && column.type == "INTEGER";
        });
    if (whole || rowid) put_key_index(table, key.columns, true);
  }

  void put_key_index(const std::string& table, const std::vector<std::string>& columns, bool primary) {
    std::vector<std::string> shown;
    for (const std::string& column : columns) shown.push_back(shown_name(column));
    const std::string parent = shown_name(table);
    const std::string list = "(" + join(shown, ", ") + ")";
    Json attributes;
    attributes["definition"] =
        fmt::format("{} ON {} {}", primary ? "PRIMARY KEY" : "UNIQUE constraint", parent, list);
    if (primary) attributes["constraint"] = "primary key";
    Json facts;
    facts["columns"] = lines_of(columns);
    facts["unique"] = "true";
    put("index", parent + list, parent, attributes, 0, facts);
  }

  Result<void> add_index(const SchemaEntry& entry) {
    std::vector<std::string> columns;
    const auto done = m_database.each(fmt::format("PRAGMA main.index_xinfo({})", quoted_text(entry.name)),
                                      [&](Statement& row) {
                                        if (row.number(5) != 0)
                                          columns.push_back(row.is_null(2) ? "" : row.text(2));
                                      });
    if (!done) return done;
    if (entry.sql.empty()) {
      const auto key = m_keys.find(lower(entry.table));
      put_key_index(entry.table, columns, key != m_keys.end() && key->second == columns);
      return {};
    }
    const std::string text = normalised(entry.sql);
    const bool unique = text.starts_with("CREATE UNIQUE");
    const std::string shape = index_shape(entry.sql);
    Json attributes;
    attributes["definition"] = fmt::format("CREATE {}INDEX {} ON {} {}", unique ? "UNIQUE " : "",
                                           shown_name(entry.name), shown_name(entry.table), shape);
    Json facts;
    facts["columns"] = lines_of(columns);
    if (unique) facts["unique"] = "true";
    if (shape.find(") WHERE ") != std::string::npos) facts["partial"] = "true";
    put("index", shown_name(entry.name), shown_name(entry.table), attributes,
        m_lineage.id_of("index", entry.name), facts);
    return {};
  }

  /// What stands in the file's header and no table says.
  Result<void> add_database() {
    Json attributes;
    for (const char* pragma : {"application_id", "auto_vacuum", "encoding", "page_size", "user_version"}) {
      const auto value = m_database.value(fmt::format("PRAGMA main.{}", pragma));
      if (!value) return failed(value);
      attributes[pragma] = *value;
    }
    const auto mode = m_database.value("PRAGMA main.journal_mode");
    if (!mode) return failed(mode);
    attributes["journal_mode"] = *mode == "wal" ? "wal" : "rollback";
    put("database", "main", "", attributes);
    return {};
  }

  Result<void> add_sequences() {
    if (m_numbered.empty()) return {};
    std::map<std::string, std::string> positions;
    const auto done = m_database.each("SELECT name, seq FROM main.sqlite_sequence",
                                      [&](Statement& row) { positions[row.text(0)] = row.text(1); });
    if (!done) return done;
    for (const std::string& table : m_numbered) {
      const auto found = positions.find(table);
      m_catalog.sequences.push_back({shown_name(table), found == positions.end() ? "unused" : found->second});
    }
    std::ranges::sort(m_catalog.sequences, {}, &SequencePosition::sequence);
    return {};
  }

  Database& m_database;
  const Lineage& m_lineage;
  const std::set<std::string>& m_apart;
  std::map<std::string, Listed> m_listed;
  std::map<std::string, std::vector<std::string>> m_keys;  ///< primary keys, by table in lower case
  std::vector<std::string> m_numbered;                     ///< tables with AUTOINCREMENT
  Catalog m_catalog;
};

}  // namespace

Result<Schema> read_schema(Database& database) {
  Schema schema;
  // Tables before what hangs on them.
  const auto done = database.each(
      "SELECT type, name, tbl_name, coalesce(rootpage, 0), coalesce(sql, '') FROM main.sqlite_schema "
      "ORDER BY type <> 'table', type, name",
      [&](Statement& row) {
        schema.push_back({row.text(0), row.text(1), row.text(2), row.number(3), row.text(4)});
      });
  if (!done) return failed(done);
  return schema;
}

namespace {

/// "table(column, …)", as the catalog calls the index of a constraint: it has no name of its own.
Result<std::string> name_by_columns(Database& database, const SchemaEntry& index) {
  std::vector<std::string> columns;
  const auto done = database.each(
      fmt::format("PRAGMA main.index_info({})", quoted_text(index.name)),
      [&](Statement& row) { columns.push_back(row.is_null(2) ? "" : shown_name(row.text(2))); });
  if (!done) return failed(done);
  return fmt::format("{}({})", shown_name(index.table), join(columns, ", "));
}

}  // namespace

Result<std::optional<SchemaEntry>> find_entry(Database& database, const std::string& type,
                                              const std::string& name) {
  const auto schema = read_schema(database);
  if (!schema) return failed(schema);
  const std::string wanted = lower(name);
  for (const SchemaEntry& entry : *schema) {
    if (entry.type != type) continue;
    const std::string shown = lower(shown_name(entry.name));
    const std::string prefix = lower(shown_name(entry.table)) + ".";
    const bool named = wanted == lower(entry.name) || wanted == shown;
    if (named || (type == "index" && wanted == prefix + shown)) return std::optional(entry);
    if (type != "index" || !entry.sql.empty()) continue;
    const auto by_columns = name_by_columns(database, entry);
    if (!by_columns) return failed(by_columns);
    if (wanted == lower(*by_columns)) return std::optional(entry);
  }
  return std::optional<SchemaEntry>();
}

std::uint64_t Lineage::id_of(const std::string& type, const std::string& name) const {
  const auto known = m_ids.find({type, name});
  return known == m_ids.end() ? number_of(type + " " + name) : known->second;
}

void Lineage::follow(const Schema& before, const Schema& after, bool vacuumed) {
  std::map<std::int64_t, std::uint64_t> by_page;
  std::set<Key> names;
  for (const SchemaEntry& entry : before) {
    if (entry.root_page != 0) by_page[entry.root_page] = id_of(entry.type, entry.name);
    names.insert({entry.type, entry.name});
  }
  std::map<Key, std::uint64_t> ids;
  for (const SchemaEntry& entry : after) {
    if (entry.type != "table" && entry.type != "index") continue;
    const Key key{entry.type, entry.name};
    const auto same = by_page.find(entry.root_page);
    const bool stays = vacuumed || entry.root_page == 0;
    if (stays && names.contains(key)) {
      ids[key] = id_of(entry.type, entry.name);
    } else if (!stays && same != by_page.end()) {
      ids[key] = same->second;
    } else {
      ids[key] = number_of(fmt::format("{} {} #{}", entry.type, entry.name, ++m_made[key]));
    }
  }
  m_ids = std::move(ids);
}

std::string affinity_of(std::string_view type) {
  const std::string words = lower(std::string(type));
  const auto has = [&](std::string_view part) { return words.find(part) != std::string::npos; };
  if (has("int")) return "INTEGER";
  if (has("char") || has("clob") || has("text")) return "TEXT";
  if (words.empty() || has("blob")) return "BLOB";
  if (has("real") || has("floa") || has("doub")) return "REAL";
  return "NUMERIC";
}

Result<Catalog> read_catalog(Database& database, const Lineage& lineage, const std::set<std::string>& apart) {
  return CatalogReader(database, lineage, apart).read();
}

}  // namespace lockkeeper::engine::sqlite
