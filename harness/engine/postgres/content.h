#pragma once

#include <string>
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

/// An expression of type bigint, never NULL: the hash of `value`, seeded by its column's name, so that values
/// that swapped columns differ and a column's place does not matter.
std::string hash_of(std::string_view value, std::string_view how, std::string_view column);

/// Reads the rows of tables: a count, a sum of hashes for each column and one over whole rows, in one pass
/// each.
class ContentReader {
 public:
  ContentReader(Connection& connection, const Catalog& catalog)
      : m_connection(connection), m_catalog(catalog) {}

  /// Content of every table; taken over from `previous`, or else from the `earlier` state, where nothing can
  /// have changed it since.
  Result<std::vector<TableContent>> read(const State* previous, const Touched& touched, const Since& earlier);

 private:
  struct Wanted {
    const Heap* heap = nullptr;
    const TableContent* before = nullptr;
    TableContent content;
  };

  std::vector<Wanted> wanted(const State* previous);
  bool unchanged(const Wanted& table, const TableContent* before, const State* state,
                 const Touched& touched) const;
  bool schema_changed(const State& before) const;
  Result<void> read_batch(std::vector<Wanted*>& batch);
  Result<void> read_former(Wanted& table);
  Result<bool> read_former_columns(Wanted& table, const std::vector<ColumnContent>& columns, bool rows_too);

  Connection& m_connection;
  const Catalog& m_catalog;
};

}  // namespace lockkeeper::engine::postgres
