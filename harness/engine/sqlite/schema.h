#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/sqlite/database.h"
#include "engine/state.h"

namespace lockkeeper::engine::sqlite {

/// A line of sqlite_schema.
struct SchemaEntry {
  std::string type;  ///< table, index, view, trigger
  std::string name;
  std::string table;
  std::int64_t root_page = 0;  ///< 0 for what has no storage
  std::string sql;             ///< empty for the index of a constraint
};
using Schema = std::vector<SchemaEntry>;

/// By type, then name.
Result<Schema> read_schema(Database& database);
/// The table or index that people call so: by its name, as it is shown, an index behind its table, or that of
/// a constraint as "table(column, …)".
Result<std::optional<SchemaEntry>> find_entry(Database& database, const std::string& type,
                                              const std::string& name);

/// Which table or index is the same as before: a rebuild drops one and gives its name to another. Within one
/// statement what keeps its root page is the same, under whatever name.
class Lineage {
 public:
  /// A number for the object of this type and name.
  std::uint64_t id_of(const std::string& type, const std::string& name) const;
  /// A statement has made `after` of `before`; VACUUM gives new pages to all, and leaves their names.
  void follow(const Schema& before, const Schema& after, bool vacuumed);

 private:
  using Key = std::pair<std::string, std::string>;
  std::map<Key, std::uint64_t> m_ids;  ///< where it is not that of the name alone
  std::map<Key, int> m_made;           ///< how often each name has been made anew
};

/// Tables whose content a state holds, with what is needed to read it.
struct TableShape {
  struct Column {
    std::string name;
    std::string type;
    std::string affinity;
  };
  std::string name;
  std::string identity;
  std::string storage;  ///< changes when the table becomes another
  bool is_virtual = false;
  std::vector<Column> columns;  ///< by name
};

/// The whole catalog, with the objects sorted as a state has them.
struct Catalog {
  std::vector<Object> objects;
  std::vector<TableShape> tables;  ///< by identity
  std::vector<SequencePosition> sequences;
};

/// Without what hangs on the tables named in `apart`.
Result<Catalog> read_catalog(Database& database, const Lineage& lineage, const std::set<std::string>& apart);

/// What SQLite makes of a declared type:
/// https://www.sqlite.org/datatype3.html#determination_of_column_affinity
std::string affinity_of(std::string_view type);

}  // namespace lockkeeper::engine::sqlite
