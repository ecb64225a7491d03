#include "engine/postgres/catalog.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace lockkeeper::engine::postgres {
namespace {

/// Columns of the answer that stand before the values.
enum CatalogColumn : std::size_t { k_piece, k_kind, k_identity, k_parent, k_oid, k_sub, k_values };

/// The number of a piece that is no object but a remark on one.
constexpr int k_remark = -1;
/// The number of the row that says whether there may be rare objects.
constexpr int k_census = -2;

/// Read once and used by many pieces. `member`: what an extension made. `schema`: pg_toast and temporary
/// schemas left out. An object in pg_catalog is told from initdb's own by its OID.
constexpr const char* k_common = R"(WITH
member AS MATERIALIZED (
  SELECT d.classid, d.objid FROM pg_depend d WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'),
schema AS MATERIALIZED (
  SELECT n.oid, n.nspowner, n.nspacl, quote_ident(n.nspname) AS name FROM pg_namespace n
  WHERE n.nspname !~ '^pg_(toast|temp_)'),
relation AS MATERIALIZED (
  SELECT c.oid, c.relkind, c.relname AS name, n.name || '.' || quote_ident(c.relname) AS identity,
         c.oid IN (SELECT m.objid FROM member m WHERE m.classid = 'pg_class'::regclass) AS member
  FROM pg_class c JOIN schema n ON n.oid = c.relnamespace
  WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'i', 'I'))
)";

/// Comments and security labels, wherever they hang. What extensions say of their own objects stays out, as
/// in a dump. Only a NOT NULL constraint (18) is no object of ours to hang a comment on, and so needs a name.
constexpr const char* k_remarks[] = {
    "SELECT 'comment', d.classoid, d.objoid, d.objsubid, d.description, CASE d.classoid WHEN"
    " 'pg_constraint'::regclass THEN (pg_identify_object(d.classoid, d.objoid, d.objsubid)).identity END"
    " FROM pg_description d WHERE d.objoid >= 16384 AND (d.classoid, d.objoid) NOT IN"
    " (SELECT m.classid, m.objid FROM member m)",
    "SELECT 'comment', d.classoid, d.objoid, d.objsubid, d.description, NULL FROM pg_description d"
    " WHERE d.objoid = 2200 AND d.classoid = 'pg_namespace'::regclass",
    "SELECT 'comment', d.classoid, d.objoid, d.objsubid, d.description, NULL FROM pg_extension e"
    " JOIN pg_description d ON d.objoid = e.oid AND d.classoid = 'pg_extension'::regclass WHERE e.oid < "
    "16384",
    "SELECT 'comment', d.classoid, d.objoid, 0, d.description, NULL FROM pg_shdescription d"
    " WHERE d.classoid <> 'pg_database'::regclass OR d.objoid = (SELECT b.oid FROM pg_database b"
    " WHERE b.datname = current_database())",
    "SELECT 'security label', l.classoid, l.objoid, l.objsubid, l.provider || ': ' || l.label,"
    " (pg_identify_object(l.classoid, l.objoid, l.objsubid)).identity FROM pg_seclabel l",
    "SELECT 'security label', l.classoid, l.objoid, 0, l.provider || ': ' || l.label, NULL FROM "
    "pg_shseclabel l"
    " WHERE l.classoid <> 'pg_database'::regclass OR l.objoid = (SELECT b.oid FROM pg_database b"
    " WHERE b.datname = current_database())"};

template <typename Item>
void keep_for(std::vector<Item>& items, int major) {
  std::erase_if(items, [major](const Item& item) { return major < item.since || major >= item.before; });
}

std::vector<CatalogPiece> pieces_for(int major) {
  std::vector<CatalogPiece> all;
  for (auto part :
       {relation_pieces, type_pieces, routine_pieces, database_pieces, cluster_pieces, system_pieces}) {
    auto pieces = part();
    std::move(pieces.begin(), pieces.end(), std::back_inserter(all));
  }
  keep_for(all, major);
  for (auto& piece : all) {
    keep_for(piece.attributes, major);
    keep_for(piece.facts, major);
  }
  return all;
}

std::string or_null(const std::string& sql) {
  return sql.empty() ? "NULL" : sql;
}

std::string select_of(const CatalogPiece& piece, std::size_t number, std::size_t width) {
  std::string sql =
      fmt::format("SELECT {}, ({})::text, ({})::text, ({})::text, ({})::text, ({})::text", number, piece.kind,
                  piece.identity, or_null(piece.parent), piece.oid, or_null(piece.sub));
  std::size_t values = 0;
  for (const auto* list : {&piece.attributes, &piece.facts}) {
    for (const CatalogValue& value : *list) {
      sql += fmt::format(",\n  ({})::text", value.sql);
      ++values;
    }
  }
  for (; values < width; ++values) sql += ", NULL";
  return sql + "\n" + piece.from;
}

std::string select_of_remarks(std::size_t width) {
  std::string sql;
  for (const char* part : k_remarks) {
    sql += fmt::format(
        "{}SELECT {}, x.kind::text, x.class::regclass::text, x.fallback::text, x.oid::text, x.sub::text, "
        "x.said::text",
        sql.empty() ? "" : "\nUNION ALL ", k_remark);
    for (std::size_t value = 1; value < width; ++value) sql += ", NULL";
    sql += fmt::format("\nFROM ({}) AS x(kind, class, oid, sub, said, fallback)", part);
  }
  return sql;
}

std::string select_of_census(const std::vector<std::string>& conditions, std::size_t width) {
  std::string sql = fmt::format("SELECT {}, CASE WHEN {} THEN 't' END, NULL, NULL, NULL, NULL", k_census,
                                join(conditions, "\n  OR "));
  for (std::size_t value = 0; value < width; ++value) sql += ", NULL";
  return sql;
}

std::string_view text_of(const char* value) {
  return value == nullptr ? std::string_view{} : std::string_view{value};
}
std::uint64_t number_of(const char* value) {
  return value == nullptr ? 0 : std::strtoull(value, nullptr, 10);
}

void append_json_string(std::string& json, std::string_view text) {
  json += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (byte < 0x20) {
      json += fmt::format("\\u{:04x}", byte);
    } else {
      json += c;
    }
  }
  json += '"';
}

/// Adds a member to a JSON object ("" counts as {}).
void append_member(std::string& json, std::string_view name, std::string_view value) {
  if (json.empty()) json = "{}";
  json.pop_back();
  if (json.size() > 1) json += ',';
  append_json_string(json, name);
  json += ':';
  append_json_string(json, value);
  json += '}';
}

const char* fact(const CatalogPiece& piece, const CatalogReader::Row& row, std::string_view name) {
  for (std::size_t i = 0; i < piece.facts.size(); ++i) {
    if (piece.facts[i].name == name) return row[k_values + piece.attributes.size() + i];
  }
  return nullptr;
}

std::string attributes_of(const CatalogPiece& piece, const CatalogReader::Row& row) {
  std::string json = "{}";
  for (std::size_t i = 0; i < piece.attributes.size(); ++i) {
    if (row[k_values + i] != nullptr) append_member(json, piece.attributes[i].name, row[k_values + i]);
  }
  json.shrink_to_fit();
  return json;
}

/// A column's own number stands for it: dropped and added again it is another column of the same relation.
std::uint64_t object_oid(const CatalogReader::Row& row) {
  const std::uint64_t oid = number_of(row[k_oid]);
  return row[k_sub] == nullptr ? oid : oid << 16U | number_of(row[k_sub]);
}

const char* attribute(const CatalogPiece& piece, const CatalogReader::Row& row, std::string_view name) {
  for (std::size_t i = 0; i < piece.attributes.size(); ++i) {
    if (piece.attributes[i].name == name) return row[k_values + i];
  }
  return nullptr;
}

/// What a value depends on that no file holds.
std::string computed_by(const CatalogPiece& piece, const CatalogReader::Row& row) {
  const std::string_view generated = text_of(attribute(piece, row, "generated"));
  return generated.ends_with(" virtual") ? std::string(generated) : std::string();
}

}  // namespace

std::string privileges_against(std::string_view acl, std::string_view standard) {
  const auto sorted = [](std::string_view list) {
    return fmt::format(
        "coalesce((SELECT string_agg(i::text, ' ' ORDER BY i::text COLLATE \"C\") FROM unnest({}) i), "
        "'none')",
        list);
  };
  return fmt::format("CASE WHEN {} IS NOT NULL THEN nullif({}, {}) END", acl, sorted(acl), sorted(standard));
}

std::string privileges(std::string_view acl, std::string_view type, std::string_view owner_oid) {
  return privileges_against(acl, fmt::format("acldefault('{}', {})", type, owner_oid));
}

CatalogValue owner(std::string_view role) {
  return {"owner", fmt::format("pg_get_userbyid({})::text", role)};
}

std::string not_member(std::string_view oid, std::string_view catalog) {
  return fmt::format(" AND {} NOT IN (SELECT m.objid FROM member m WHERE m.classid = '{}'::regclass)", oid,
                     catalog);
}

std::string sorted_options(std::string_view options) {
  return fmt::format(
      "CASE WHEN {0} IS NOT NULL THEN (SELECT string_agg(o, ', ' ORDER BY o COLLATE \"C\") FROM unnest({0}) "
      "o) END",
      options);
}

std::string any_in(std::string_view catalog) {
  return fmt::format("EXISTS (SELECT 1 FROM {} e WHERE e.oid >= 16384)", catalog);
}

CatalogQuery::CatalogQuery(int major) : m_pieces(pieces_for(major)) {
  std::size_t width = 1;
  for (const auto& piece : m_pieces) width = std::max(width, piece.attributes.size() + piece.facts.size());
  std::vector<std::string> usual;
  std::vector<std::string> rare;
  std::vector<std::string> conditions;
  for (std::size_t i = 0; i < m_pieces.size(); ++i) {
    (m_pieces[i].rare.empty() ? usual : rare).push_back(select_of(m_pieces[i], i, width));
    if (!m_pieces[i].rare.empty()) conditions.push_back(m_pieces[i].rare);
  }
  usual.push_back(select_of_remarks(width));
  usual.push_back(select_of_census(conditions, width));
  m_sql = k_common + join(usual, "\nUNION ALL ");
  m_rare_sql = k_common + join(rare, "\nUNION ALL ");
}

void CatalogReader::add(const Row& row) {
  const int number = std::atoi(row[k_piece]);
  if (number == k_remark) return add_remark(row);
  if (number == k_census) {
    m_needs_rare = row[k_kind] != nullptr;
    return;
  }
  const CatalogPiece& piece = m_query.piece(static_cast<std::size_t>(number));
  Object object{.kind = row[k_kind],
                .identity = std::string(text_of(row[k_identity])),
                .parent = std::string(text_of(row[k_parent])),
                .attributes = {},
                .oid = object_oid(row),
                .facts = {}};
  note(piece, row);
  if (fact(piece, row, "member") != nullptr) return;
  object.attributes = attributes_of(piece, row);
  // Privileges of a system object that only look changed, being written out.
  if (piece.catalog.empty() && object.attributes == "{}") return;
  for (const char* name : {"contype", "unique", "partial", "of partition"}) {
    if (const char* value = fact(piece, row, name)) append_member(object.facts, name, value);
  }
  if (const char* key = fact(piece, row, "key")) {
    const char* length = fact(piece, row, "key length");
    m_keys.push_back({m_catalog.objects.size(), number_of(fact(piece, row, "relation")), key,
                      length == nullptr ? std::string::npos : number_of(length)});
  }
  if (!piece.sub.empty()) {
    m_columns.push_back({number_of(row[k_oid]), std::atoi(row[k_sub]), m_catalog.objects.size()});
  }
  m_places.push_back({piece.catalog, number_of(row[k_oid]), piece.sub.empty() ? 0 : std::atoi(row[k_sub]),
                      m_catalog.objects.size()});
  m_catalog.objects.push_back(std::move(object));
}

/// Relations with rows of their own: tables, leaves of partitioned ones, materialized views once they are
/// filled.
void CatalogReader::note(const CatalogPiece& piece, const Row& row) {
  const std::string_view relkind = text_of(fact(piece, row, "relkind"));
  const bool holds_rows = relkind == "r" || (relkind == "m" && fact(piece, row, "unpopulated") == nullptr);
  if (holds_rows && piece.sub.empty()) {
    m_catalog.heaps.push_back({std::string(text_of(row[k_identity])), number_of(row[k_oid]),
                               std::string(text_of(fact(piece, row, "storage"))),
                               fact(piece, row, "empty") != nullptr});
  }
  if ((relkind == "r" || relkind == "m") && !piece.sub.empty()) {
    m_catalog.columns.push_back({number_of(row[k_oid]), std::atoi(row[k_sub]),
                                 std::string(text_of(fact(piece, row, "name"))), row[k_values],
                                 number_of(fact(piece, row, "base type")), computed_by(piece, row)});
  }
  if (piece.kind == "'sequence'") {
    m_catalog.sequences.push_back({std::string(text_of(row[k_identity])),
                                   std::string(text_of(attribute(piece, row, "start"))),
                                   std::string(text_of(fact(piece, row, "last")))});
  }
}

void CatalogReader::add_remark(const Row& row) {
  m_remarks.push_back({row[k_kind], row[k_identity], number_of(row[k_oid]), std::atoi(row[k_sub]),
                       std::string(text_of(row[k_parent])), std::string(text_of(row[k_values]))});
}

/// The position is a rank: numbers have gaps where columns were dropped.
void CatalogReader::number_columns() {
  std::ranges::sort(m_columns, {}, [](const ColumnPlace& c) { return std::pair(c.relation, c.number); });
  std::uint64_t relation = 0;
  int rank = 0;
  for (const ColumnPlace& column : m_columns) {
    rank = column.relation == relation ? rank + 1 : 1;
    relation = column.relation;
    append_member(m_catalog.objects[column.object].attributes, "position", std::to_string(rank));
  }
}

/// Keys come as column numbers, 0 for an expression.
void CatalogReader::name_keys() {
  for (const Key& key : m_keys) {
    std::vector<std::string> names;
    for (const std::string& number : split(key.numbers, ' ')) {
      if (names.size() == key.length) break;
      const auto found =
          std::ranges::lower_bound(m_columns, std::pair(key.relation, std::atoi(number.c_str())), {},
                                   [](const ColumnPlace& c) { return std::pair(c.relation, c.number); });
      const bool known = found != m_columns.end() && found->relation == key.relation &&
                         found->number == std::atoi(number.c_str());
      const Object* column = known ? &m_catalog.objects[found->object] : nullptr;
      names.push_back(column == nullptr ? "" : column->identity.substr(column->parent.size() + 1));
    }
    append_member(m_catalog.objects[key.object].facts, "columns", join(names, "\n"));
  }
}

void CatalogReader::attach_remarks() {
  const auto place = [](const Place& p) { return std::tuple(p.catalog, p.oid, p.sub); };
  std::ranges::sort(m_places, {}, place);
  std::ranges::sort(m_remarks, {}, &Remark::text);
  for (const Remark& remark : m_remarks) {
    const std::tuple wanted(std::string_view(remark.catalog), remark.oid, remark.sub);
    const auto found = std::ranges::lower_bound(m_places, wanted, {}, place);
    if (found != m_places.end() && place(*found) == wanted) {
      append_member(m_catalog.objects[found->object].attributes, remark.kind, remark.text);
    } else if (!remark.fallback.empty()) {
      m_catalog.objects.push_back({.kind = remark.kind,
                                   .identity = "on " + remark.fallback,
                                   .parent = {},
                                   .attributes = {},
                                   .oid = 0,
                                   .facts = {}});
      append_member(m_catalog.objects.back().attributes, "text", remark.text);
    }
  }
}

Catalog CatalogReader::finish() {
  number_columns();
  name_keys();
  attach_remarks();
  std::ranges::sort(m_catalog.objects, [](const Object& a, const Object& b) {
    return std::tie(a.kind, a.identity, a.oid) < std::tie(b.kind, b.identity, b.oid);
  });
  std::ranges::sort(m_catalog.columns, {},
                    [](const HeapColumn& c) { return std::pair(c.relation, c.number); });
  std::ranges::sort(m_catalog.sequences, {}, &SequenceRow::identity);
  return std::move(m_catalog);
}

}  // namespace lockkeeper::engine::postgres
