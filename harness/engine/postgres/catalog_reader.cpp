#include <algorithm>
#include <cstdlib>
#include <map>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_rows.h"

namespace lockkeeper::engine::postgres {
namespace {

/// Room for a column's place: ,"position":"1234"
constexpr std::size_t k_room_for_position = 18;

using Row = CatalogReader::Row;

std::string_view text_of(const char* value) {
  return value == nullptr ? std::string_view{} : std::string_view{value};
}
std::uint64_t number_of(const char* value) {
  return value == nullptr ? 0 : std::strtoull(value, nullptr, 10);
}
int sub_of(Row row) {
  return row[k_sub] == nullptr ? 0 : std::atoi(row[k_sub]);
}

void append_json_string(std::string& json, std::string_view text) {
  json += '"';
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && c != '"' && c != '\\') continue;
    json.append(text, done, at - done);
    done = at + 1;
    if (byte < 0x20) {
      json += fmt::format("\\u{:04x}", byte);
    } else {
      json += '\\';
      json += c;
    }
  }
  json.append(text, done);
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

const char* fact(const CatalogLayout& layout, Row row, Fact wanted) {
  const std::size_t column = layout.facts[static_cast<std::size_t>(wanted)];
  return column == 0 ? nullptr : row[column];
}

const char* attribute(const CatalogPiece& piece, const CatalogLayout& layout, Row row,
                      std::string_view name) {
  for (std::size_t i = 0; i < layout.attributes.size(); ++i) {
    if (piece.attributes[layout.attributes[i]].name == name) return row[k_values + i];
  }
  return nullptr;
}

/// As the row has them; `room` for what is added later.
std::string attributes_of(const CatalogPiece& piece, const CatalogLayout& layout, Row row, std::size_t room) {
  std::size_t size = 2 + room;
  for (std::size_t i = 0; i < layout.attributes.size(); ++i) {
    const char* value = row[k_values + i];
    if (value != nullptr)
      size += piece.attributes[layout.attributes[i]].name.size() + text_of(value).size() + 6;
  }
  std::string json;
  json.reserve(size);
  json += "{}";
  for (std::size_t i = 0; i < layout.attributes.size(); ++i) {
    const char* value = row[k_values + i];
    if (value != nullptr) append_member(json, piece.attributes[layout.attributes[i]].name, value);
  }
  return json;
}

/// A column's own number stands for it: dropped and added again it is another column of the same relation.
std::uint64_t object_oid(Row row) {
  const std::uint64_t oid = number_of(row[k_oid]);
  return row[k_sub] == nullptr ? oid : oid << 16U | number_of(row[k_sub]);
}

bool same(const Object& a, const Object& b) {
  return a.identity == b.identity && a.oid == b.oid && a.attributes == b.attributes && a.parent == b.parent &&
         a.facts == b.facts;
}

auto place_in_kind(const Object& object) {
  return std::tie(object.identity, object.oid);
}

/// Adds objects of one kind; `old` is where the previous state has those of this kind.
void add_kind(std::vector<Object*>& objects, const SharedList<Object>& previous, std::size_t old,
              SharedList<Object>& list) {
  std::ranges::sort(objects, {}, [](const Object* object) { return place_in_kind(*object); });
  for (Object* object : objects) {
    const auto comes_before = [&](std::size_t at) {
      return at < previous.size() && previous[at].kind == object->kind &&
             place_in_kind(previous[at]) < place_in_kind(*object);
    };
    while (comes_before(old)) ++old;
    if (old < previous.size() && previous[old].kind == object->kind && same(previous[old], *object)) {
      list.share(previous.shared(old++));
    } else {
      list.push_back(std::move(*object));
    }
  }
}

template <typename Item, typename Place>
void sort_where_needed(std::vector<Item>& items, Place place) {
  // The server mostly gives rows in the order in which they were made.
  if (!std::ranges::is_sorted(items, {}, place)) std::ranges::sort(items, {}, place);
}

}  // namespace

CatalogReader::CatalogReader(const CatalogQuery& query, const State* previous)
    : m_query(query), m_previous(previous) {
  if (previous == nullptr) return;
  m_objects.reserve(previous->objects.size() + previous->objects.size() / 16);
  m_places.reserve(m_objects.capacity());
}

void CatalogReader::add(Row row) {
  const int number = std::atoi(row[k_piece]);
  if (number == k_needed) return add_needed(row[k_kind]);
  const auto piece = static_cast<std::size_t>(number);
  if (piece >= k_more) return add_more(piece - k_more, row);
  if (m_query.piece(piece).is_remark) return add_remark(piece, row);
  add_object(piece, row);
}

void CatalogReader::add_needed(const char* pieces) {
  for (const std::string& piece : split(text_of(pieces), ' ')) {
    if (!piece.empty()) m_needed.insert(std::stoul(piece));
  }
}

void CatalogReader::add_object(std::size_t number, Row row) {
  const CatalogPiece& piece = m_query.piece(number);
  const CatalogLayout& layout = m_query.layout(number);
  note(piece, layout, row);
  if (fact(layout, row, Fact::member) != nullptr) return;
  if (fact(layout, row, Fact::more) != nullptr) m_needed.insert(number);
  Object object{.kind = layout.kind.empty() ? row[k_kind] : layout.kind,
                .identity = std::string(text_of(row[k_identity])),
                .parent = std::string(text_of(row[k_parent])),
                .attributes = attributes_of(piece, layout, row, piece.sub.empty() ? 0 : k_room_for_position),
                .oid = object_oid(row),
                .facts = {}};
  // Privileges of a system object that only look changed, being written out.
  if (piece.catalog.empty() && object.attributes == "{}") return;
  for (const Fact known : {Fact::contype, Fact::unique, Fact::partial, Fact::of_partition}) {
    if (const char* value = fact(layout, row, known)) append_member(object.facts, name_of(known), value);
  }
  if (const char* key = fact(layout, row, Fact::key)) {
    const char* length = fact(layout, row, Fact::key_length);
    m_keys.push_back({m_objects.size(), number_of(fact(layout, row, Fact::relation)), key,
                      length == nullptr ? std::string::npos : number_of(length)});
  }
  if (!piece.sub.empty()) m_columns.push_back({number_of(row[k_oid]), sub_of(row), m_objects.size()});
  m_places.push_back({piece.catalog, number_of(row[k_oid]), sub_of(row), m_objects.size()});
  m_objects.push_back(std::move(object));
}

void CatalogReader::add_more(std::size_t number, Row row) {
  std::string attributes = attributes_of(m_query.piece(number), m_query.more_layout(number), row, 0);
  if (attributes == "{}") return;
  m_more.push_back({number, number_of(row[k_oid]), sub_of(row), std::move(attributes)});
  // Of a column that is not stored, what computes it.
  const std::string_view generated =
      text_of(attribute(m_query.piece(number), m_query.more_layout(number), row, "generated"));
  if (generated.ends_with(" virtual")) {
    m_computed.push_back({.relation = number_of(row[k_oid]),
                          .number = sub_of(row),
                          .name = {},
                          .type = {},
                          .computed = std::string(generated)});
  }
}

/// Relations with rows of their own: tables, leaves of partitioned ones, materialized views once they are
/// filled.
void CatalogReader::note(const CatalogPiece& piece, const CatalogLayout& layout, Row row) {
  const std::string_view relkind = text_of(fact(layout, row, Fact::relkind));
  const bool holds_rows =
      relkind == "r" || (relkind == "m" && fact(layout, row, Fact::unpopulated) == nullptr);
  if (holds_rows && piece.sub.empty()) {
    m_catalog.heaps.push_back({std::string(text_of(row[k_identity])), number_of(row[k_oid]),
                               std::string(text_of(fact(layout, row, Fact::storage))),
                               fact(layout, row, Fact::empty) != nullptr});
  }
  if ((relkind == "r" || relkind == "m") && !piece.sub.empty()) {
    m_catalog.columns.push_back({number_of(row[k_oid]),
                                 sub_of(row),
                                 std::string(text_of(fact(layout, row, Fact::name))),
                                 row[k_values],
                                 number_of(fact(layout, row, Fact::base_type)),
                                 {}});
  }
  if (layout.kind == "sequence") {
    m_catalog.sequences.push_back({std::string(text_of(row[k_identity])),
                                   std::string(text_of(attribute(piece, layout, row, "start"))),
                                   std::string(text_of(fact(layout, row, Fact::last)))});
  }
}

void CatalogReader::add_remark(std::size_t number, Row row) {
  m_remarks.push_back({m_query.layout(number).kind, row[k_identity], number_of(row[k_oid]), sub_of(row),
                       std::string(text_of(row[k_parent])), std::string(text_of(row[k_values]))});
}

/// The object that stands for a row of a catalog.
Object* CatalogReader::find(std::string_view catalog, std::uint64_t oid, int sub) {
  const auto place = [](const Place& p) { return std::tuple(p.catalog, p.oid, p.sub); };
  const std::tuple wanted(catalog, oid, sub);
  const auto found = std::ranges::lower_bound(m_places, wanted, {}, place);
  return found != m_places.end() && place(*found) == wanted ? &m_objects[found->object] : nullptr;
}

void CatalogReader::attach_more() {
  std::ranges::sort(m_more, {}, &More::piece);
  for (const More& more : m_more) {
    Object* object = find(m_query.piece(more.piece).catalog, more.oid, more.sub);
    if (object == nullptr) continue;
    if (object->attributes.size() > 2) {
      object->attributes.back() = ',';
      object->attributes.append(more.attributes, 1);
    } else {
      object->attributes = more.attributes;
    }
  }
  for (HeapColumn& computed : m_computed) {
    const auto place = [](const HeapColumn& c) { return std::pair(c.relation, c.number); };
    const auto found = std::ranges::lower_bound(m_catalog.columns, place(computed), {}, place);
    if (found != m_catalog.columns.end() && place(*found) == place(computed)) {
      found->computed = std::move(computed.computed);
    }
  }
}

/// The position is a rank: numbers have gaps where columns were dropped.
void CatalogReader::number_columns() {
  sort_where_needed(m_columns, [](const ColumnPlace& c) { return std::pair(c.relation, c.number); });
  std::uint64_t relation = 0;
  int rank = 0;
  for (const ColumnPlace& column : m_columns) {
    rank = column.relation == relation ? rank + 1 : 1;
    relation = column.relation;
    append_member(m_objects[column.object].attributes, "position", std::to_string(rank));
  }
}

/// Keys come as column numbers, 0 for an expression.
void CatalogReader::name_keys() {
  for (const Key& key : m_keys) {
    std::string names;
    std::size_t known = 0;
    for (const char* number = key.numbers.c_str(); *number != '\0' && known < key.length; ++known) {
      const auto place = [](const ColumnPlace& c) { return std::pair(c.relation, c.number); };
      char* behind = nullptr;
      const std::pair wanted(key.relation, static_cast<int>(std::strtol(number, &behind, 10)));
      number = *behind == ' ' ? behind + 1 : behind;
      const auto found = std::ranges::lower_bound(m_columns, wanted, {}, place);
      if (known > 0) names += '\n';
      if (found == m_columns.end() || place(*found) != wanted) continue;
      const Object& column = m_objects[found->object];
      names.append(column.identity, column.parent.size() + 1);
    }
    append_member(m_objects[key.object].facts, "columns", names);
  }
}

void CatalogReader::attach_remarks() {
  std::ranges::sort(m_remarks, {}, &Remark::text);
  for (const Remark& remark : m_remarks) {
    if (Object* object = find(remark.catalog, remark.oid, remark.sub)) {
      append_member(object->attributes, remark.kind, remark.text);
    } else if (!remark.fallback.empty()) {
      m_objects.push_back({.kind = remark.kind,
                           .identity = "on " + remark.fallback,
                           .parent = {},
                           .attributes = {},
                           .oid = 0,
                           .facts = {}});
      append_member(m_objects.back().attributes, "text", remark.text);
    }
  }
}

SharedList<Object> CatalogReader::sorted() {
  std::map<std::string_view, std::vector<Object*>> kinds;
  for (Object& object : m_objects) kinds[object.kind].push_back(&object);
  const SharedList<Object> none;
  const SharedList<Object>& previous = m_previous == nullptr ? none : m_previous->objects;
  SharedList<Object> list;
  list.reserve(m_objects.size());
  for (auto& [kind, objects] : kinds) {
    const auto first = std::ranges::lower_bound(previous, kind, {}, &Object::kind);
    add_kind(objects, previous, static_cast<std::size_t>(first - previous.begin()), list);
  }
  return list;
}

Catalog CatalogReader::finish() {
  if (!m_more.empty() || !m_remarks.empty()) {
    std::ranges::sort(m_places, {}, [](const Place& p) { return std::tuple(p.catalog, p.oid, p.sub); });
  }
  sort_where_needed(m_catalog.columns, [](const HeapColumn& c) { return std::pair(c.relation, c.number); });
  std::ranges::sort(m_catalog.sequences, {}, &SequenceRow::identity);
  attach_more();
  number_columns();
  name_keys();
  attach_remarks();
  m_catalog.objects = sorted();
  return std::move(m_catalog);
}

}  // namespace lockkeeper::engine::postgres
