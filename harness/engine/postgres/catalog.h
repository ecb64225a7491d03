#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/state.h"

namespace lockkeeper::engine::postgres {

/// The first object id that is not initdb's own (FirstNormalObjectId).
inline constexpr std::uint64_t k_first_user_oid = 16384;

/// One value of a catalog row. `sql` is an expression over the piece's FROM clause; NULL leaves the value
/// out.
struct CatalogValue {
  std::string_view name;
  std::string sql;
  int since = 0;    ///< first major version that has it
  int before = 99;  ///< first major version that has it no more
};

/// One kind of object: how it is read from the catalog. All pieces together are one query.
struct CatalogPiece {
  std::string kind;      ///< an SQL expression
  std::string identity;  ///< an SQL expression
  std::string parent;    ///< an SQL expression, or empty
  std::string catalog;   ///< the catalog that the object lives in: comments and security labels refer to it
  std::string oid;       ///< an SQL expression
  std::string sub;       ///< a column's number within its relation, or empty
  std::vector<CatalogValue> attributes;  ///< compared
  std::vector<CatalogValue> facts;       ///< not compared: what reading content and judging indexes need
  std::string from;
  int since = 0;
  int before = 99;
  /// For what most databases have nothing of: a condition under which there may be some. Such pieces are a
  /// second query, which is not even planned where none of the conditions holds.
  std::string rare = {};
};

/// "EXISTS (…)": has the catalog anything that is not initdb's own?
std::string any_in(std::string_view catalog);

/// The pieces, by the file that holds them.
std::vector<CatalogPiece> relation_pieces();
std::vector<CatalogPiece> type_pieces();
std::vector<CatalogPiece> routine_pieces();
std::vector<CatalogPiece> database_pieces();
std::vector<CatalogPiece> cluster_pieces();
std::vector<CatalogPiece> system_pieces();

/// An access control list as sorted text; NULL where it says no more than `standard`, so that a list that was
/// never set and the one that GRANT writes out are the same.
std::string privileges_against(std::string_view acl, std::string_view standard);
/// The same against what the server gives an owner: `type` is the letter that acldefault() takes.
std::string privileges(std::string_view acl, std::string_view type, std::string_view owner);
/// "owner = …" as a value: the role's name.
CatalogValue owner(std::string_view role);
/// " AND …" that leaves out what an extension made: it comes and goes with the extension.
std::string not_member(std::string_view oid, std::string_view catalog);
/// Options (text[]) as sorted text.
std::string sorted_options(std::string_view options);

/// A relation whose rows count as content, and where it lies.
struct Heap {
  std::string identity;
  std::uint64_t oid = 0;
  std::string storage;  ///< relfilenode
  bool empty = false;   ///< not one block: no rows
};

struct HeapColumn {
  std::uint64_t relation = 0;
  int number = 0;
  std::string name;
  std::string type;
  std::uint64_t base_type = 0;  ///< of a domain, what it is made of
  std::string computed;         ///< the expression of a value that is not stored
};

struct SequenceRow {
  std::string identity;
  std::string start;
  std::string
      last;  ///< empty where nothing was taken from it yet: where it will start, the catalog does not say
};

/// What the catalog says at a moment.
struct Catalog {
  std::vector<Object> objects;  ///< by kind, then identity
  std::vector<Heap> heaps;
  std::vector<HeapColumn> columns;  ///< by relation and number
  std::vector<SequenceRow> sequences;
};

/// The catalog query for a server of a major version.
class CatalogQuery {
 public:
  explicit CatalogQuery(int major);

  const std::string& sql() const { return m_sql; }
  /// The query for the rare pieces, to be run where the first one answers that there may be some.
  const std::string& rare_sql() const { return m_rare_sql; }
  const CatalogPiece& piece(std::size_t index) const { return m_pieces[index]; }

 private:
  std::vector<CatalogPiece> m_pieces;
  std::string m_sql;
  std::string m_rare_sql;
};

/// Makes a Catalog of the query's rows.
class CatalogReader {
 public:
  /// A row's values, a null pointer for NULL; only as long as the call.
  using Row = std::vector<const char*>;

  explicit CatalogReader(const CatalogQuery& query) : m_query(query) {}

  void add(const Row& row);
  /// Has the first query found that there may be rare objects?
  bool needs_rare() const { return m_needs_rare; }
  /// Numbers columns, names keys, attaches comments and labels, sorts.
  Catalog finish();

 private:
  struct Place {
    std::string_view catalog;
    std::uint64_t oid = 0;
    int sub = 0;
    std::size_t object = 0;
  };
  struct Remark {
    std::string kind;
    std::string catalog;
    std::uint64_t oid = 0;
    int sub = 0;
    std::string fallback;
    std::string text;
  };
  struct Key {
    std::size_t object = 0;
    std::uint64_t relation = 0;
    std::string numbers;
    std::size_t length = 0;  ///< what follows is included, not key
  };
  struct ColumnPlace {
    std::uint64_t relation = 0;
    int number = 0;
    std::size_t object = 0;
  };

  void add_remark(const Row& row);
  void note(const CatalogPiece& piece, const Row& row);
  void number_columns();
  void name_keys();
  void attach_remarks();

  const CatalogQuery& m_query;
  bool m_needs_rare = false;
  Catalog m_catalog;
  std::vector<Place> m_places;
  std::vector<Remark> m_remarks;
  std::vector<Key> m_keys;
  std::vector<ColumnPlace> m_columns;
};

}  // namespace lockkeeper::engine::postgres
