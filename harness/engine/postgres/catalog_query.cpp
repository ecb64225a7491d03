#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "engine/postgres/catalog.h"
#include "engine/postgres/catalog_rows.h"

namespace lockkeeper::engine::postgres {
namespace {

/// Read once and used by many pieces. `member`: what an extension made. `schema`: pg_toast and temporary
/// schemas left out. An object in pg_catalog is told from initdb's own by its OID.
constexpr const char* k_common = R"(WITH
member AS {0} (
  SELECT d.classid, d.objid FROM pg_depend d WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'),
schema AS {0} (
  SELECT n.oid, n.nspowner, n.nspacl, quote_ident(n.nspname) AS name FROM pg_namespace n
  WHERE n.nspname !~ '^pg_(toast|temp_)'),
relation AS {0} (
  SELECT c.oid, c.relkind, c.relname AS name, n.name || '.' || quote_ident(c.relname) AS identity,
         c.oid IN (SELECT m.objid FROM member m WHERE m.classid = 'pg_class'::regclass) AS member
  FROM pg_class c JOIN schema n ON n.oid = c.relnamespace
  WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'i', 'I'))
)";

template <typename Item>
void keep_for(std::vector<Item>& items, int major) {
  std::erase_if(items, [major](const Item& item) { return major < item.since || major >= item.before; });
}

/// A usual piece has a column that says which of its objects have rare values.
void mark_rare_values(CatalogPiece& piece) {
  if (!piece.rare.empty()) return;
  std::vector<std::string> conditions;
  for (const CatalogValue& value : piece.attributes) {
    const std::string condition = "(" + value.when + ")";
    if (!value.when.empty() && std::ranges::find(conditions, condition) == conditions.end()) {
      conditions.push_back(condition);
    }
  }
  if (conditions.empty()) return;
  piece.facts.push_back(
      {name_of(Fact::more), fmt::format("CASE WHEN {} THEN 't' END", join(conditions, " OR "))});
}

std::vector<CatalogPiece> pieces_for(int major, CatalogScope scope) {
  std::vector<CatalogPiece> all;
  for (auto part : {relation_pieces, type_pieces, routine_pieces, database_pieces, cluster_pieces,
                    system_pieces, remark_pieces}) {
    auto pieces = part();
    std::move(pieces.begin(), pieces.end(), std::back_inserter(all));
  }
  keep_for(all, major);
  for (auto& piece : all) {
    keep_for(piece.attributes, major);
    keep_for(piece.facts, major);
    if (scope == CatalogScope::schema_alone) {
      std::erase_if(piece.facts, [](const CatalogValue& fact) {
        return fact.name == name_of(Fact::last) || fact.name == name_of(Fact::empty);
      });
    }
    mark_rare_values(piece);
  }
  return all;
}

/// A kind that is the same for all of a piece's objects, an SQL literal, is known already.
bool sends_no_kind(const CatalogPiece& piece) {
  return piece.kind.starts_with('\'');
}

CatalogLayout layout_of(const CatalogPiece& piece) {
  CatalogLayout layout;
  if (sends_no_kind(piece)) layout.kind = piece.kind.substr(1, piece.kind.size() - 2);
  for (std::size_t i = 0; i < piece.attributes.size(); ++i) {
    if (!piece.rare.empty() || piece.attributes[i].when.empty()) layout.attributes.push_back(i);
  }
  for (std::size_t fact = 0; fact < k_facts; ++fact) {
    const auto found = std::ranges::find(piece.facts, name_of(static_cast<Fact>(fact)), &CatalogValue::name);
    if (found == piece.facts.end()) continue;
    const auto place = static_cast<std::size_t>(found - piece.facts.begin());
    layout.facts[fact] = k_values + layout.attributes.size() + place;
  }
  return layout;
}

CatalogLayout more_layout_of(const CatalogPiece& piece) {
  CatalogLayout layout;
  for (std::size_t i = 0; piece.rare.empty() && i < piece.attributes.size(); ++i) {
    if (!piece.attributes[i].when.empty()) layout.attributes.push_back(i);
  }
  return layout;
}

std::string text_or_null(const std::string& sql) {
  return sql.empty() ? "NULL::text" : fmt::format("({})::text", sql);
}

std::string value_of(const CatalogValue& value) {
  if (value.when.empty()) return text_or_null(value.sql);
  return fmt::format("CASE WHEN {} THEN ({})::text END", value.when, value.sql);
}

std::string padding(std::size_t from, std::size_t width) {
  std::string sql;
  for (std::size_t value = from; value < width; ++value) sql += ", NULL";
  return sql;
}

std::string select_of(const CatalogPiece& piece, const CatalogLayout& layout, std::size_t number,
                      std::size_t width) {
  std::string sql =
      fmt::format("SELECT {}, {}, {}, {}, {}, {}", number,
                  text_or_null(sends_no_kind(piece) ? "" : piece.kind), text_or_null(piece.identity),
                  text_or_null(piece.parent), text_or_null(piece.oid), text_or_null(piece.sub));
  for (const std::size_t value : layout.attributes) sql += ",\n  " + value_of(piece.attributes[value]);
  for (const CatalogValue& value : piece.facts) sql += ",\n  " + value_of(value);
  return sql + padding(layout.attributes.size() + piece.facts.size(), width) + "\n" + piece.from;
}

std::string select_of_rare_values(const CatalogPiece& piece, const CatalogLayout& layout,
                                  std::size_t number) {
  std::string sql = fmt::format("SELECT {}, NULL, NULL, NULL, {}, {}", k_more + number,
                                text_or_null(piece.oid), text_or_null(piece.sub));
  std::vector<std::string> conditions;
  for (const std::size_t value : layout.attributes) {
    sql += ",\n  " + value_of(piece.attributes[value]);
    conditions.push_back("(" + piece.attributes[value].when + ")");
  }
  return sql + fmt::format("\n{} AND ({})", piece.from, join(conditions, " OR "));
}

/// One row with the numbers of the rare pieces that there may be objects of. A table that is looked into but
/// for this costs more when it is planned than when it is run, so each is looked into once.
std::string select_of_needed(const std::vector<CatalogPiece>& pieces, std::size_t width) {
  std::vector<std::pair<std::string, std::string>> numbers;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].rare.empty()) continue;
    const auto known = std::ranges::find(numbers, pieces[i].rare, [](const auto& n) { return n.first; });
    if (known == numbers.end()) {
      numbers.emplace_back(pieces[i].rare, std::to_string(i));
    } else {
      known->second += " " + std::to_string(i);
    }
  }
  std::vector<std::string> looks;
  for (const auto& [rare, which] : numbers) looks.push_back(fmt::format("(SELECT '{}' {})", which, rare));
  return fmt::format(
      "\nUNION ALL SELECT {}, (SELECT string_agg(x.numbers, ' ') FROM ({}) AS x(numbers)), NULL, NULL, NULL, "
      "NULL{}",
      k_needed, join(looks, "\n  UNION ALL "), padding(0, width));
}

}  // namespace

std::string_view name_of(Fact fact) {
  constexpr std::array<std::string_view, k_facts> k_names = {
      "member",  "relkind",      "storage",  "empty", "base type",  "name", "contype",     "unique",
      "partial", "of partition", "relation", "key",   "key length", "last", "unpopulated", "more"};
  return k_names[static_cast<std::size_t>(fact)];
}

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
  return fmt::format("FROM {} e WHERE e.oid >= 16384", catalog);
}

CatalogQuery::CatalogQuery(int major, CatalogScope scope) : m_pieces(pieces_for(major, scope)) {
  std::size_t width = 1;
  for (const CatalogPiece& piece : m_pieces) {
    m_layouts.push_back(layout_of(piece));
    m_more_layouts.push_back(more_layout_of(piece));
    if (piece.rare.empty()) {
      width = std::max(width, m_layouts.back().attributes.size() + piece.facts.size());
    }
  }
  std::vector<std::string> selects;
  for (std::size_t i = 0; i < m_pieces.size(); ++i) {
    if (m_pieces[i].rare.empty()) selects.push_back(select_of(m_pieces[i], m_layouts[i], i, width));
  }
  m_sql = fmt::format(k_common, "MATERIALIZED") + join(selects, "\nUNION ALL ") +
          select_of_needed(m_pieces, width);
}

std::string CatalogQuery::more_sql(std::size_t piece) const {
  // Not materialized, so that what the piece asks of them decides how they are read.
  const std::string common = fmt::format(k_common, "");
  if (m_pieces[piece].rare.empty()) {
    return common + select_of_rare_values(m_pieces[piece], m_more_layouts[piece], piece);
  }
  return common + select_of(m_pieces[piece], m_layouts[piece], piece, 0);
}

}  // namespace lockkeeper::engine::postgres
