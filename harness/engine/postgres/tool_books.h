#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockkeeper::engine::postgres {

/// A table in which a migration tool notes what it has run.
struct KnownBook {
  std::string_view tool;
  std::string_view table;    ///< its usual name, without schema
  std::string_view columns;  ///< all of which it has, by commas
  std::string_view query;    ///< {} is the table; rows: version, state (tool_books.cpp)
};

/// Those that can be read, of several for one name the more telling first.
std::span<const KnownBook> known_books();

/// The tables of such names: identity, name, columns by commas, whether this role may read it.
std::string find_books();

/// The first known book that this table can be; null where it is none.
const KnownBook* book_of(std::string_view name, const std::vector<std::string>& columns);

}  // namespace lockkeeper::engine::postgres
