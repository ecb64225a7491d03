#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/postgres/catalog.h"
#include "engine/postgres/connection.h"
#include "engine/state.h"

namespace lockkeeper::engine::postgres {

/// `"name"`, whatever the name is.
std::string quoted_name(std::string_view name);

/// How values of a type are hashed: a word that hash_of() knows. As fast as may be, and yet telling apart all
/// that the type's text tells apart; equal integers of several widths, and equal text, hash alike.
std::string hashed_as(std::uint64_t base_type);

/// An expression of type bigint, never NULL: the hash of `value`, seeded by a name, so that values that
/// swapped columns differ and a column's place does not matter.
std::string hash_of(std::string_view value, std::string_view how, std::string_view seed);

/// Reads the rows of tables: a count, a sum of hashes for each column and one over whole rows, in one pass
/// each. No pass is made where a state that was read before and the server's evidence tell what it would
/// find: nothing touched the table's rows, they lie in the same file, and a column is where it was (under
/// whatever name), or came without a rewrite, and then holds one and the same value in every row.
class ContentReader {
 public:
  ContentReader(Connection& connection, const Catalog& catalog)
      : m_connection(connection), m_catalog(catalog) {}

  /// Content of every table; taken over from `previous`, or else from the `earlier` state, where nothing can
  /// have changed it since. Both will be compared with it, and so are read with the same seeds.
  Result<std::vector<TableContent>> read(const State* previous, const Touched& touched, const Since& earlier);

 private:
  struct Wanted;

  std::vector<Wanted> wanted(const Since& previous, const Since& earlier) const;
  bool schema_changed(const State& before, Dependence dependence);
  bool compare_schema(const State& before, Dependence dependence) const;
  bool may_derive(const Wanted& table, const TableContent* before, const Since& since);
  void derive(Wanted& table, const Since& previous, const Since& earlier);
  Result<void> read_constants(std::vector<Wanted>& tables);
  Result<void> scan(std::vector<Wanted>& tables);
  Result<void> scan_batch(std::vector<Wanted*>& batch);
  Result<void> read_former(Wanted& table);
  Result<bool> read_former_columns(Wanted& table, const std::vector<ColumnContent>& columns, bool rows_too);

  Connection& m_connection;
  const Catalog& m_catalog;
  std::map<std::pair<const State*, Dependence>, bool> m_schema_changed;
};

}  // namespace lockkeeper::engine::postgres
