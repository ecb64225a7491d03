#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <span>
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
  /// For what few objects have: a condition without which the value is NULL. Such values are a statement of
  /// their own, which is not even planned while no object meets one of the conditions.
  std::string when = {};
};

/// One kind of object: how it is read from the catalog. The pieces that every database has are one query.
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
  /// For what many databases have nothing of: "FROM …" that has a row where there may be some. Such pieces
  /// are statements of their own: planning one costs more than running it a hundred times.
  std::string rare = {};
  /// Is it no object but a remark on one? Identity is the catalog of what it is on then, parent a name for
  /// that where it is no object of ours, the only value what is said.
  bool is_remark = false;
};

/// "FROM …" with a row for anything in the catalog that is not initdb's own.
std::string any_in(std::string_view catalog);

/// The pieces, by the file that holds them.
std::vector<CatalogPiece> relation_pieces();
std::vector<CatalogPiece> type_pieces();
std::vector<CatalogPiece> routine_pieces();
std::vector<CatalogPiece> database_pieces();
std::vector<CatalogPiece> cluster_pieces();
std::vector<CatalogPiece> system_pieces();
std::vector<CatalogPiece> remark_pieces();

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
  SharedList<Object> objects;  ///< by kind, then identity
  std::vector<Heap> heaps;
  std::vector<HeapColumn> columns;  ///< by relation and number
  std::vector<SequenceRow> sequences;
};

/// What pieces know of an object beside its attributes.
enum class Fact : std::uint8_t {
  member,  ///< made by an extension
  relkind,
  storage,
  empty,
  base_type,
  name,
  contype,
  unique,
  partial,
  of_partition,
  relation,
  key,
  key_length,
  last,
  unpopulated,
  more,  ///< has values that are a statement of their own
};
inline constexpr std::size_t k_facts = 16;
std::string_view name_of(Fact fact);

/// The columns of a piece's rows, as many as they are; what stands before them is the same for all.
struct CatalogLayout {
  std::string kind;                          ///< of all of them; empty where each row says its own
  std::vector<std::size_t> attributes;       ///< indexes into the piece's
  std::array<std::size_t, k_facts> facts{};  ///< the column by fact; 0 where the piece has none
};

/// Whether, beside the schema, it is read where sequences stand and which tables are empty: this takes rights
/// to them, and a look at each under a lock.
enum class CatalogScope { with_positions, schema_alone };

/// The statements that read the catalog of a server of a major version.
class CatalogQuery {
 public:
  explicit CatalogQuery(int major, CatalogScope scope = CatalogScope::with_positions);

  /// The usual pieces. Its parameter (none for the schema alone) is an OID: of tables up to it "empty" is not
  /// asked, which is a look into the file system each.
  const std::string& sql() const { return m_sql; }
  /// A rare piece, or the rare values of a usual one.
  std::string more_sql(std::size_t piece) const;
  std::size_t pieces() const { return m_pieces.size(); }
  /// Does the piece have a more_sql()?
  bool has_more(std::size_t piece) const {
    return !m_pieces[piece].rare.empty() || !m_more_layouts[piece].attributes.empty();
  }
  const CatalogPiece& piece(std::size_t index) const { return m_pieces[index]; }
  const CatalogLayout& layout(std::size_t index) const { return m_layouts[index]; }
  const CatalogLayout& more_layout(std::size_t index) const { return m_more_layouts[index]; }

 private:
  std::vector<CatalogPiece> m_pieces;
  std::vector<CatalogLayout> m_layouts;
  std::vector<CatalogLayout> m_more_layouts;  ///< empty where the piece has no rare values
  std::string m_sql;
};

/// Makes a Catalog of the statements' rows.
class CatalogReader {
 public:
  /// A row's values, a null pointer for NULL; only as long as the call.
  using Row = std::span<const char* const>;

  /// What is as `previous` (may be null) has it is shared with it.
  CatalogReader(const CatalogQuery& query, const State* previous);

  void add(Row row);
  /// The pieces that the usual ones have found to need statements of their own.
  const std::set<std::size_t>& needed() const { return m_needed; }
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
  struct More {
    std::size_t piece = 0;
    std::uint64_t oid = 0;
    int sub = 0;
    std::string attributes;
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

  void add_object(std::size_t number, Row row);
  void add_more(std::size_t number, Row row);
  void add_remark(std::size_t number, Row row);
  void add_needed(const char* pieces);
  void note(const CatalogPiece& piece, const CatalogLayout& layout, Row row);
  Object* find(std::string_view catalog, std::uint64_t oid, int sub);
  void attach_more();
  void number_columns();
  void name_keys();
  void attach_remarks();
  SharedList<Object> sorted();

  const CatalogQuery& m_query;
  const State* m_previous;
  std::set<std::size_t> m_needed;
  Catalog m_catalog;
  std::vector<Object> m_objects;
  std::vector<Place> m_places;
  std::vector<More> m_more;
  std::vector<HeapColumn> m_computed;  ///< with no more than relation, number and what computes them
  std::vector<Remark> m_remarks;
  std::vector<Key> m_keys;
  std::vector<ColumnPlace> m_columns;
};

}  // namespace lockkeeper::engine::postgres
